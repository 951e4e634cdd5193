"""Names that the parameters and variables of a neuron cannot have, since the simulation or Brian2 uses them itself."""

from __future__ import annotations

import functools
import re
from typing import Any

from ...core.errors import NsnnError

# names of the generated step of a membrane (`brian/equations`); tests/models/test_neuron_names.py compares them with the code
_STEP = {
    "ahead", "armed", "bridge_gap", "bridge_room", "bridge_steep", "drive_before", "due", "first", "free", "guess", "hold",
    "hold_steps", "i_next", "i_noise", "i_spike", "in_turn", "jumps_of", "keep", "keep_part", "kick", "lapse", "level_now",
    "level_prev", "load", "middle", "moved", "near", "near_load", "near_top", "next_e", "next_i", "normal_cdf",
    "one_unit", "part", "part_length", "passed", "pull", "pull_part", "relax", "relax_part", "restart", "room_end", "room_prev",
    "root_ii", "root_ii_part", "root_vi", "root_vi_part", "root_vv", "root_vv_part", "seen_e", "seen_i",
    "share", "shift", "smooth_exp", "smooth_exprel", "smooth_in_turn", "smooth_normal_cdf", "span", "steep", "steep_part",
    "step_sd", "step_sd_now", "step_sd_part", "stride", "stride_part", "top", "v_end", "v_prev", "way",
    "z_i", "z_v",
}  # fmt: skip
# and those that are made of the number of a synapse or of random numbers, or of the name of a parameter of a noise or stimulus
_MADE = re.compile(
    r"""syn\d+_\w+ | (kick|mean|seen|keep|next|pull)_syn\d+\w* | (normal|uniform|jumps)_\d+(_\d|_mean|_none)?
    | noise_(neuron|trial|point|key[01]|common|private|sigma|shared|v_zero|least|least_b|z|sd|b|b_[01]|(mean|keep|root|rev|g)_[ei])
    | noise_(own|variance|now|least_now|weight(_inh)?|(none_)?rate(_inh)?(_part)?|left(_part)?)
    | stim_(samples|v|t_on|t_off|mean|amplitude|frequency|phase)
    | escape_(sigma|s|a|g|b|rate|width|tau_m)
    | path_(pieces|keep|ebb|pull|lapse|root_(ii|vi|vv)|far|full)
    | keyed_((normal|uniform)(_in_turn)?|crossed|summit|passage)""",
    re.VERBOSE,
)
_GENERATED = "is a name of the generated code"
_PREFIXES = ("relax", "half", "back", "here", "near", "far", "opening", "both")
# how a group of Brian2 uses a name: as its index, its size, its clock, its refractory time
_BRIAN_NAMES = ("i", "N", "t", "dt", "t_in_timesteps", "xi", "not_refractory", "refractory")
# attributes of a group that a parameter with a value for each neuron would replace; Brian2 then fails
_ATTRIBUTES = (
    "before_run", "codeobj_class", "equations", "event_codes", "events", "namespace", "resetter", "spikes", "state",
    "thresholder", "variables", "when",
)  # fmt: skip


def check_parameters(neuron: Any, base: type) -> None:
    """Raise NsnnError for a parameter whose name has another meaning, before the texts are read.

    base : the class whose attributes are the texts of a neuron
    """
    texts = set(dir(base))
    for name in [f.name for f in neuron.parameter_fields()]:
        if name in texts:
            raise NsnnError(
                f"{type(neuron).__name__} has the parameter {name!r}, which is the name of a text or method of every neuron: "
                f"expected another name, such as {'own_' + name!r}"
            )
        _refuse(neuron, "parameter", name, meaning(name))


def check_variables(neuron: Any) -> None:
    """Raise NsnnError for a slow variable or gate whose name has another meaning, and for a parameter whose name is made of one."""
    from brian2 import NeuronGroup

    variables = [*neuron.slow, *neuron.gates]
    made = {f"{prefix}_{x}" for x in (*variables, *neuron.channels) for prefix in _PREFIXES}
    for name in [f.name for f in neuron.parameter_fields()]:
        _refuse(neuron, "parameter", name, _GENERATED if name in made else "")
    for name in variables:
        other = "is an attribute of Brian2's groups" if hasattr(NeuronGroup, name) else ""
        _refuse(neuron, "variable", name, meaning(name) or other or (_GENERATED if name in made else ""))


def _refuse(neuron: Any, what: str, name: str, means: str) -> None:
    if means:
        raise NsnnError(
            f"{type(neuron).__name__} has the {what} {name!r}, which {means}: expected another name, such as {'own_' + name!r}"
        )


@functools.cache
def meaning(name: str) -> str:
    """What a name stands for in the texts of every neuron; "" for one that is free."""
    from brian2.core.namespace import DEFAULT_CONSTANTS, DEFAULT_FUNCTIONS, DEFAULT_UNITS

    if name in ("v", "drive"):
        return "every neuron has: v is the membrane, drive the stimulus"
    if name in _BRIAN_NAMES:
        return "Brian2 uses in each group of neurons"
    for table, what in (
        (DEFAULT_FUNCTIONS, "function"),
        (DEFAULT_CONSTANTS, "constant"),
        (DEFAULT_UNITS, "unit"),
    ):
        if name in table:
            return f"is a {what} of Brian2"
    if name in _STEP or _MADE.fullmatch(name):
        return _GENERATED
    return "is an attribute of Brian2's groups" if name in _ATTRIBUTES else ""
