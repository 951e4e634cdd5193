"""Names that the parameters and variables of a neuron cannot have, since the simulation or Brian2 uses them itself."""

from __future__ import annotations

import functools
import re
from typing import Any

from ...core.errors import NsnnError

# names of the generated step of a membrane (`brian/equations`); tests/models/test_neuron_names.py compares them with the code
_STEP = {
    "ahead", "armed", "bridge_steep", "drive_before", "first", "free", "guess", "hold", "hold_steps",
    "i_next", "i_noise", "i_spike", "in_turn", "jumps_of", "keep", "keep_part", "kick", "lapse", "level_now",
    "level_prev", "load", "middle", "moved", "near", "near_load", "next_e", "next_i", "normal_cdf",
    "one_unit", "part", "part_length", "passed", "pull", "pull_part", "relax", "relax_part", "restart",
    "root_ii", "root_ii_part", "root_vi", "root_vi_part", "root_vv", "root_vv_part", "seen_e", "seen_i",
    "share", "shift", "smooth_exp", "smooth_exprel", "smooth_normal_cdf", "span", "steep", "steep_part",
    "step_sd", "step_sd_now", "step_sd_part", "stride", "stride_part", "summit", "top", "v_end", "v_prev",
    "z_i", "z_v",
}  # fmt: skip
# and those that are made of a number or of the name of a model's own variable
_MADE = re.compile(
    r"(noise|stim|escape|path|keyed)_\w+|syn\d+_\w+|(kick|mean|seen|keep|next|pull)_syn\d+\w*|(normal|uniform|jumps)_\d+(_\d)?"
)
_PREFIXES = ("relax", "half", "back", "here", "near", "far", "opening", "both")
# how a group of Brian2 uses a name: as its index, its size, its clock
_CLOCK = ("i", "j", "N", "t", "dt", "t_in_timesteps", "xi", "lastspike", "not_refractory", "refractory")


def check_names(neuron: Any, base: type, fields: list[str]) -> None:
    """Raise NsnnError for a parameter, slow variable, gate or channel whose name has another meaning.

    base : the class whose attributes are the texts of a neuron
    fields : names of the parameters
    """
    kind = type(neuron)
    texts = set(dir(base))
    for name in fields:
        # before the tables are read: a parameter called slow would be read as one
        if name in texts:
            raise NsnnError(
                f"{kind.__name__} has the parameter {name!r}, which is the name of a text or method of every neuron: expected "
                "another name"
            )
    variables = [*neuron.slow, *neuron.gates]
    made = {f"{prefix}_{x}" for x in (*variables, *neuron.channels) for prefix in _PREFIXES}
    for what, names in (("parameter", fields), ("variable", variables)):
        for name in names:
            if means := meaning(name) or ("is a name of the generated code" if name in made else ""):
                raise NsnnError(
                    f"{kind.__name__} has the {what} {name!r}, which {means}: expected another name, such as {name + '_own'!r}"
                )


@functools.cache
def meaning(name: str) -> str:
    """What a name stands for in the texts of every neuron; "" for one that is free."""
    from brian2 import NeuronGroup
    from brian2.core.namespace import DEFAULT_CONSTANTS, DEFAULT_FUNCTIONS, DEFAULT_UNITS

    if name in ("v", "drive"):
        return "every neuron has: v is the membrane, drive the stimulus"
    if name in _CLOCK:
        return "Brian2 uses in each group of neurons"
    for table, what in (
        (DEFAULT_FUNCTIONS, "function"),
        (DEFAULT_CONSTANTS, "constant"),
        (DEFAULT_UNITS, "unit"),
    ):
        if name in table:
            return f"is a {what} of Brian2"
    if name in _STEP or _MADE.fullmatch(name):
        return "is a name of the generated code"
    # attributes of a group, which Brian2 would overwrite
    own = ("equations", "namespace", "variables", "thresholder", "resetter", "events", "user_equations")
    return "is an attribute of Brian2's groups" if name in own or hasattr(NeuronGroup, name) else ""
