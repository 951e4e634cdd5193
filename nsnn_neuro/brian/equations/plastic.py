"""Create Brian2 synapses that implement a learning rule, for use in any Brian2 network.

The input through a synapse in a step is summed in its variable `arrived` and added to the trace at the end of the step. So delays,
graded values and any schedule of the network are correct if the spike arrives before the threshold that it should affect.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from brian2 import Synapses, TimedArray, get_dimensions, second
from brian2.core.spikesource import SpikeSource

from ...core import units
from ...core.checks import instance
from ...core.errors import NsnnError
from .. import engine
from .group_text import BRIAN_UNIT, substitute

if TYPE_CHECKING:
    from ...models.plasticity import Plasticity, RuleText

_NEEDED = ("beta", "theta")  # parameters of the neuron that rules require if they take them


def plastic_synapses(
    rule: Plasticity,
    source: Any,
    target: Any,
    *,
    learning_signal: str | None = None,
    membrane: str = "u",
    spike: str = "o",
    weight: str = "w",
    graded: str | None = None,
    feedback: str | None = None,
    trial: Any = None,
    on_pre: str | None = None,
    bounds: tuple[Any, Any] | None = None,
    order: int = 0,
    name: str = "plastic*",
    **neuron: Any,
) -> Synapses:
    """Create Brian2 synapses that learn by `rule` while a network runs. Connect them, set `w`, and add them to your network.

    Weights change in generated code, at the end of each step (slot "end"; STDP at spikes). The rule then reads the variables of the
    target: u at the threshold, before the reset, and o = 1 if the neuron has fired in this step, else 0. A spike has to arrive
    before the threshold of the step that it should affect (see `S.pre.when` and `.order`).

    Parameters
    ----------
    rule : plasticity rule such as NDL(0.1)
    source, target : Brian2 groups; the source may be any group that spikes
    learning_signal : name of the variable of the target with the learning signal; default "L", or "R" for a reward
    membrane, spike : names of variables of the target; weight : name of the weight (not "w" if the target has a variable w)
    graded : name of a variable of the source that multiplies its spikes; None: 1
    feedback : name of the variable of the source that receives the learning signal from the target; None: no feedback. For the
        signals "random" and "broadcast" set the feedback weights, `S.b`
    trial : time, a multiple of dt: gradients are summed, and weights change in the last step of a trial, after which traces are
        reset (resetting membranes is left to your network); trials start at t = 0 without gaps. None: weights change in every step
    on_pre : text of the effect of a spike, as in Brian2; default: the membrane jumps by w (times the graded value); "": no effect
    bounds : lowest and highest weight; None for no bound
    order : feedback has this order and the update of weights the next; use a higher order for earlier layers
    name : of the Brian2 object
    noise : a family, `EscapeNoise(family)`, or `WhiteNoise(sigma)` of a diffusive membrane; for `NDL` only
    beta, theta : number or array (n_target,), parameters of the target neuron; reset : "hard" (default) or "subtract"
    tau_m, v_thresh, mu : with `WhiteNoise` instead of beta and theta: number or array (n_target,), v_thresh and mu in the unit of
        sigma. mu, the value to which the membrane relaxes, may be the name of a variable of the target. Membrane and weights have
        the unit of sigma, and eta is a number: in V^2, `NDL(float(2*mV**2))`, with Adam in V. `spike` and `feedback` are not used
    method : integration method of the target, "euler" (default, as in Brian2 for white noise): m = x0 + (mu - x0) dt / tau_m and
        s^2 = 2 sigma^2 dt / tau_m; "exact", as in `simulate`: m = mu + (x0 - mu) exp(-dt / tau_m),
        s^2 = sigma^2 (1 - exp(-2 dt / tau_m))
    bridge : True if the target also fires at crossings between grid points; default False, as with a Brian2 threshold.
        With `WhiteNoise` the rule reads the membrane in slot "before_groups", and the target has to move later (in "groups").
        Spikes arrive after the threshold ("synapses", the default) or before that slot; L is read at the end

    Raises
    ------
    NsnnError : a missing variable, noise without a density, an argument that the rule does not take or that is missing

    >>> from brian2 import NeuronGroup, PoissonGroup, Hz, ms
    >>> from nsnn_neuro import NDL, Gaussian, plastic_synapses
    >>> inputs = PoissonGroup(3, 20 * Hz, dt=1 * ms)
    >>> cells = NeuronGroup(2, "u : 1\\no : 1\\nL : 1", threshold="o > 0", dt=1 * ms)
    >>> synapses = plastic_synapses(NDL(0.05), inputs, cells, noise=Gaussian(0.2), beta=0.5, theta=1.0)
    >>> synapses.connect()
    >>> len(synapses)
    6
    """
    names = {"u": membrane, "o": spike} | {"L": learning_signal or rule.signal_name}
    for what in ("noise", "beta", "theta"):
        if rate := getattr(rule, f"eta_{what}", 0):
            raise NsnnError(
                f"eta_{what} = {rate}: these synapses cannot change the {what} of the target, expected 0 (`train` learns it)"
            )
    for group, end in ((source, "source"), (target, "target")):
        instance(group, SpikeSource, end, "a Brian2 group such as a NeuronGroup")
    text = _text(rule, neuron, trial)
    unit = text.unit or rule.weight_unit
    if isinstance(neuron.get("mu"), str):
        names["mu"] = neuron["mu"]
    # names of the groups come first: variables may be expressions in them
    outer = [dict(getattr(group, "namespace", None) or {}) for group in (source, target)]
    namespace: dict[str, Any] = outer[0] | outer[1] | engine.functions()
    own = {w: f"rule_{w}" for w in _locals(text)}
    own |= _bind(text.parameters, namespace, len(target))
    if trial is not None:
        namespace["rule_steps"] = _steps(trial, target)
        own["steps"] = "rule_steps"
    if learning_signal is not None and not _uses(text, "L"):
        raise NsnnError(
            f"learning_signal = {learning_signal!r}: {type(rule).__name__} has none, expected None"
        )
    own |= _read(text, target, names) | {"w": weight}
    states = [f"{weight} : {BRIAN_UNIT[unit]}", *(substitute(line, own) for line in text.states)]
    if graded is not None:
        _variable(source, graded, "graded", "source")
    arrived = f"{graded}_pre" if graded else "1"
    if on_pre is None:
        on_pre = f"{membrane}_post += {weight}" + (f" * {arrived}" if graded else "")
    # whether the membrane is constant during the refractory time, when Brian2 also ignores input
    held = "not_refractory" in target.variables and names["u"] in target.variables
    held = held and target.variables[names["u"]].conditional_write is not None
    if text.at_start and "not_refractory" in target.variables and not held:
        raise NsnnError(
            f"target = {target.name!r} changes during the refractory time: expected {names['u']} with the flag (unless refractory)"
        )
    brought = f"({arrived}) * int(not_refractory_post)" if held else arrived
    learn, first, fired, firing = (
        [substitute(x, own | at) for x in lines]
        for lines, at in (
            (text.each_step, {}),
            (text.at_start, {}),
            (text.on_pre, {"pre": brought}),
            (text.on_post, {}),
        )
    )
    if any(_names_in(line, "pre") for line in text.each_step):
        states.append("arrived : 1")
        fired.append(f"arrived += {arrived}")
        learn = [substitute(line, {"pre": "arrived"}) for line in learn]
        learn.append("arrived = 0")
    if bounds is not None:
        clip, changes = _clip(bounds, weight, unit, namespace), re.compile(rf"{weight} *[-+*/]?=")
        learn, fired, firing = (
            [x for line in lines for x in ([line, clip] if changes.match(line) else [line])]
            for lines in (learn, fired, firing)
        )
    _apart(states, target)
    if feedback is not None:
        states.append(_backward(rule, text, source, feedback, own))
    synapses = Synapses(
        source,
        target,
        "\n".join(states),
        on_pre="\n".join(filter(None, [on_pre, *fired])) or None,
        on_post="\n".join(firing) or None,
        namespace=namespace,
        clock=_clock(target),
        name=name,
    )
    if feedback is not None:
        updater = synapses.summed_updaters[f"{feedback}_pre"]
        updater.when, updater.order = "end", order
    if first:
        synapses.run_regularly("\n".join(first), when="before_groups", order=order)
    if learn:
        synapses.run_regularly("\n".join(learn), when="end", order=order + 1)
    return synapses


def _clock(group: Any) -> Any:
    return group.clock if hasattr(group, "clock") else group.source.clock


def _text(rule: Plasticity, neuron: dict[str, Any], trial: Any) -> RuleText:
    """The text of the rule for these arguments of the neuron."""
    form = rule.text_for(neuron.get("noise"))
    taken = inspect.signature(form).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in taken.values())
    who = type(rule).__name__
    for given in (*neuron, *(["trial"] if trial is not None else [])):
        if given not in taken and not open_ended:
            raise NsnnError(f"{given} = {neuron.get(given, trial)}: {who} takes no {given}")
    for needed in _NEEDED:
        if needed in taken and neuron.get(needed) is None:
            raise NsnnError(
                f"{needed} = None: {who} needs the {needed} of the target neuron, e.g. {needed}=0.5"
            )
    return form(**neuron, **({"trial": True} if trial is not None else {}))


def _uses(text: RuleText, name: str) -> bool:
    lines = (*text.at_start, *text.each_step, *text.on_pre, *text.on_post, text.backward or "")
    return any(_names_in(line, name) for line in lines)


def _names_in(line: str, name: str) -> bool:
    return re.search(rf"(?<![\w.]){name}\b", line) is not None


def _state(line: str) -> str:
    """The variable that an equation defines."""
    return re.sub(r"^d(\w+)/dt$", r"\1", re.split(r"[:=]", line)[0].strip())


def _locals(text: RuleText) -> set[str]:
    """Local names of a step; they are renamed, as they could be variables of the target."""
    states = {_state(line) for line in text.states} | {"w"}
    matches = [re.match(r"(\w+) *[-+*/]?=", line) for line in (*text.at_start, *text.each_step)]
    return {match[1] for match in matches if match} - states


def _bind(parameters: dict[str, tuple[Any, str]], namespace: dict[str, Any], n: int) -> dict[str, str]:
    """Bind names in the namespace to numbers, and to tables of arrays (one value per target neuron); return the names."""
    bound = {}
    for name, (value, unit) in parameters.items():
        values = np.asarray(value)
        quantity = units.brian(values[()], unit) if unit != "1" else values[()]
        bound[name] = f"rule_{name}"
        if values.ndim == 0:
            namespace[bound[name]] = quantity
        elif values.shape == (n,):
            namespace[bound[name]] = TimedArray(quantity[None, :], dt=1 * second)
            bound[name] += "(t, j)"
        else:
            raise NsnnError(
                f"{name} has shape {values.shape}: expected a number or the shape (n_target,) = ({n},)"
            )
    return bound


def _steps(trial: Any, target: Any) -> int:
    dt = float(_clock(target).dt)
    steps = units.si(trial, "s", "trial") / dt
    if np.ndim(steps) or not np.rint(steps) >= 1 or abs(steps - np.rint(steps)) > 1e-6 * steps:
        raise NsnnError(f"trial = {trial}: expected a multiple of the target's dt = {1e3 * dt:g} ms")
    return int(np.rint(steps))


def _read(text: RuleText, target: Any, names: dict[str, str]) -> dict[str, str]:
    """Dict from names in the rule to names in the synapses, for the variables of the target that the rule reads."""
    argument = {"u": "membrane", "o": "spike", "L": "learning_signal", "mu": "mu"}
    variables = {}
    for neutral, name in names.items():
        if _uses(text, neutral):
            unit = (text.unit or "1") if neutral in ("u", "mu") else "1"
            _variable(target, name, argument[neutral], "target", unit)
            variables[neutral] = f"{name}_post"
    return variables


def _variable(group: Any, name: str, argument: str, end: str, unit: str = "1") -> None:
    if name not in group.variables:
        built_in = ("i", "N", "t", "dt", "t_in_timesteps")
        had = ", ".join(v for v in group.variables if not v.startswith("_") and v not in built_in)
        raise NsnnError(
            f"{argument} = {name!r}: the {end} group {group.name!r} has no such variable (it has {had or 'none'}), "
            f"expected one, e.g. {name + ' : 1'!r} in its equations"
        )
    if group.variables[name].dim != get_dimensions(units.brian(1.0, unit)):
        expected = "a plain number" if unit == "1" else units.describe(unit)
        had = "a dimension" if unit == "1" else "another dimension"
        raise NsnnError(
            f"{argument} = {name!r}: this variable of {group.name!r} has {had}, expected {expected}"
        )


def _backward(rule: Plasticity, text: RuleText, source: Any, feedback: str, own: dict[str, str]) -> str:
    if not text.backward:
        raise NsnnError(
            f"feedback = {feedback!r}: this {type(rule).__name__} has no feedback signal, expected None"
        )
    _variable(source, feedback, "feedback", "source")
    return f"{feedback}_pre = {substitute(text.backward, own)} : 1 (summed)"


def _apart(states: list[str], target: Any) -> None:
    for name in map(_state, states):
        if name in target.variables:
            cure = "give weight=... another name" if name == states[0].split()[0] else "rename it"
            raise NsnnError(
                f"target = {target.name!r} has a variable {name!r}, and so have these synapses: the names must differ, {cure}"
            )


def _clip(bounds: tuple[Any, Any], weight: str, unit: str, namespace: dict[str, Any]) -> str:
    try:
        low, high = bounds
    except (TypeError, ValueError):
        raise NsnnError(
            f"bounds = {bounds!r}: expected two values (low, high), None for an open end"
        ) from None
    low = -np.inf if low is None else units.si(low, unit, "bounds")
    high = np.inf if high is None else units.si(high, unit, "bounds")
    if not low <= high:
        raise NsnnError(f"bounds = {bounds!r}: expected low <= high")
    for name, value in (("rule_low", low), ("rule_high", high)):
        namespace[name] = units.brian(value, unit) if unit != "1" else value
    return f"{weight} = clip({weight}, rule_low, rule_high)"
