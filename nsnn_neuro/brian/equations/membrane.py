"""Brian2 code that advances the membrane of integrate-and-fire and conductance-based neurons by one time step.

The linear part takes its exact step. Over a step of length h, with S^2 the variance of the noise in it,

    V -> m + S z,   m = mu + (V - mu) exp(-h/tau)

(without leak m = V + mu h/tau). A nonlinear part adds to mu, by Heun's rule (`_move`): with additive noise Ito's and
Stratonovich's calculus agree. Conductances of synapses and noise enter with their mean over a step, those of channels with their
value at the midpoint; gating and slow variables (`adaptation.py`) are staggered by half a step. All this is second order in dt.

Threshold crossings between grid points (`bridge`): in white noise a step from x0 to x1, both below threshold, has crossed it with
probability exp(-2 (theta - x0)(theta - x1) / S^2). Neurons with shared noise share the uniform number that decides
(`noises.bridge_uniform`). With OU noise V is differentiable: if the correlation time is below ten steps, the path within the
step is drawn and tested. Jumps of a Poisson background have random times within the step, and the maximum of the path is tested.
Synaptic input arrives at the end of a step, after the bridge, and is tested there.

The refractory time is measured in continuous time. For it and for slow variables only, a spike in step k counts as at (k + 1/2) dt
with the bridge, its mean, and at (k + 1) dt without; its stored time is k dt (`io/block.py`). The membrane is released tau_refrac
later, in general within a step, and then takes a partial step of the remaining length h (`release`). So the grid does not lengthen
intervals, and tau_refrac need not be a multiple of dt.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from brian2 import NeuronGroup

from ...models.escape import EscapeNoise, Family
from ...models.neurons import ConductanceBased, IntegrateAndFire
from ...models.neurons.refractory import initial_voltage, release
from ...models.noise import ConductanceNoise, Noise, PoissonInput, ThresholdNoise, WhiteNoise
from ...models.synapses import Synapse
from .. import engine, philox
from ..philox import Stream
from .adaptation import after_spike, default_starts, on_grid, slow_starts, start_slow, step_slow
from .group_text import GroupText, Terms, either, substitute
from .noises import add_noise, bridge_uniform, shared_fraction, start_normal
from .synapses import add_synapses

# GCC 12 vectorises no loop with these; the second is a power of clip(...)
_SCALAR = re.compile(r"arctan|\)\*\*")


def membrane(
    group: GroupText, neuron: IntegrateAndFire, noise: Noise | None, synapses: Sequence[Synapse], bridge: bool
) -> NeuronGroup:
    """A group of continuous membranes with a threshold and, if the neuron resets, a refractory time."""
    unit, dt, tau = neuron.membrane_unit, group.layout.dt, np.asarray(neuron.si("tau_m"))
    group.bind_parameters(neuron)
    per_step = isinstance(noise, EscapeNoise) and noise.family is not None
    resets = not isinstance(neuron, ConductanceBased)
    j, h = release(neuron.si("tau_refrac"), dt, bridge and not per_step) if resets else (np.array(0), 1.0)
    group.bind("hold_steps", j, "1")
    group.state("v", unit, initial_voltage(neuron))
    group.state("hold", "integer", 0)
    rearms = isinstance(neuron, ConductanceBased) and neuron.rearm != neuron.threshold
    if rearms:
        group.state(
            "armed",
            "integer",
            np.asarray(initial_voltage(neuron) <= np.asarray(neuron.si(neuron.threshold))).astype(int),
        )
    reach = (
        [*synapses, *(one.synapse for one in noise.inputs)] if isinstance(noise, PoissonInput) else synapses
    )
    conductances = isinstance(noise, ConductanceNoise) or any(s.conductance for s in reach)
    loaded = bool(neuron.channels) or conductances
    terms = Terms(group, neuron, h, loaded, bridge=bridge and resets)
    start_slow(group, neuron)
    _gates(terms)
    add_synapses(terms, synapses)
    terms.level, reset = _level(group, neuron, noise, (bridge and not per_step) or not resets)
    bridged = add_noise(terms, noise)
    jumps = any("v" in s.on_arrival for s in synapses)
    part = "part = int(hold == 1)"
    step = ["free = int(hold <= 1)", part]
    if group.counts and group.many:
        group.counts.insert(0, part)
    else:
        step += group.counts
    step.append("hold = int(hold > 0) * (hold - 1)")
    if isinstance(noise, EscapeNoise) and noise.hazard is not None:
        group.state("span", "s")
        group.bind("part_length", h, "1")
        step.append("span = dt * (1 + part * (part_length - 1))")
    if neuron.moving:
        group.state("level_prev", unit)
        group.state("level_now", unit)
        step.append(f"level_prev = {on_grid(terms.level, neuron)}")
    step += step_slow(neuron)
    step += terms.first + _share(terms, tau) + terms.lines + _move(terms) + terms.moved + terms.last
    # via `moved`: on Brian2's NumPy target "v_prev = v" followed by "v = v + ..." changes v_prev too (an alias, updated in place)
    step.append("v_prev = v")
    if rearms:
        step.append(f"armed = int(armed + int(v <= {neuron.rearm}) > 0)")  # type: ignore[attr-defined]
        reset.append("armed = 0")
    end = "v"
    if jumps and bridge:
        group.state("v_end", unit)  # before synaptic input
        end = "v_end"
    own = " + ".join(["moved", *(f"free * {text}" for text in terms.jumps)])
    step += [f"v_end = {own}", "v = v_end"] if end == "v_end" else [f"v = {own}"]
    if neuron.moving:
        step.append(f"level_now = {on_grid(terms.level, neuron)}")
    fires = _fires(terms, noise, end, step, bridged=bridged, jumps=jumps)
    # what is read after the step is a variable, the rest an intermediate result
    if "v_prev" in fires or any("v_prev" in line for line in group.late):
        group.state("v_prev", unit)
    if jumps or "free" in fires:
        group.state("free", "integer", 0)
    return group.make(fires, "\n".join(reset + terms.reset), "\n".join(step))


def _fires(
    terms: Terms, noise: Noise | None, end: str, step: list[str], *, bridged: bool, jumps: bool
) -> str:
    """Text of the condition for a spike; lines that it needs are added to those of the step.

    Its cheap part, `due`, is decided in a loop that the compiler vectorises: in the step or, where synapses move v after it, in a
    loop of its own in large groups and in C++. The rest, which draws random numbers, is for the few neurons that are due.
    """
    group, level = terms.group, _levels(terms)[1]
    if bridged:
        group.state("bridge_gap", "1")
        step += _gap(terms, noise, end)
        fires, due = f"({_bridge(terms, noise)})", f"bridge_gap < {philox.SURE}"
        if jumps:
            fires, due = f"{fires} or v > {level}", f"{due} or v > {level}"
    else:
        fires = " or ".join([_threshold(terms, noise, end), *terms.crossed])
        due = fires.replace(f"({terms.top})", "near_top > 0") if terms.top else fires
    if isinstance(noise, EscapeNoise) and (jumps or _SCALAR.search(fires)):
        return f"free == 1 and ({fires})"
    if jumps and not group.many:
        return f"free == 1 and ({fires})"
    group.state("due", "integer", 0)
    (group.late if jumps else step).append(f"due = int({due}) * free")
    return "due > 0" if fires == due else f"due > 0 and ({fires})"


def _level(
    group: GroupText, neuron: IntegrateAndFire, noise: Noise | None, middle: bool
) -> tuple[str, list[str]]:
    """Text of the threshold at the midpoint of the step, and lines of the reset for a spike there or at the end of the step."""
    level = f"({neuron.threshold} + {neuron.moving})" if neuron.moving else neuron.threshold
    before, after = after_spike(neuron, level, middle=middle)
    reset = [*before, f"v = {neuron.reset}", "hold = hold_steps", *after]
    if isinstance(noise, ThresholdNoise):
        sigma = np.asarray(noise.si("sigma"))
        group.bind("noise_sigma", sigma, neuron.membrane_unit)
        shift = group.layout.of_members(sigma) * start_normal(group, Stream.THRESHOLD_START)
        group.state("shift", neuron.membrane_unit, shift)
        level = f"({level} + shift)"
        reset.append(f"shift = noise_sigma * {engine.draw('normal', Stream.THRESHOLD)}")
    return level, reset


def _levels(terms: Terms) -> tuple[str, str]:
    """Names of the threshold at the start and at the end of the step."""
    return ("level_prev", "level_now") if terms.neuron.moving else (terms.level, terms.level)


def _gap(terms: Terms, noise: Noise | None, end: str) -> list[str]:
    """Lines that set g in exp(-g), the probability that a path from `v_prev` to `end` has crossed the threshold (Brownian bridge).

    It is 0 where one of the two is above threshold. Part of the state update, which the compiler vectorises; the few neurons that
    are near enough to threshold get a random number afterwards (`_bridge`).
    """
    before, level = _levels(terms)
    rooms = f"({before} - v_prev) * bridge_steep", f"({level} - {end}) * bridge_steep"
    # `bridge_steep` may become infinite
    if terms.loaded or not isinstance(noise, WhiteNoise) or noise.weighted:
        return [f"bridge_gap = bridge_room({rooms[0]}) * bridge_room({rooms[1]})"]
    names = "room_prev", "room_end"
    lines = [f"{name} = {room}" for name, room in zip(names, rooms, strict=True)]
    return [*lines, f"bridge_gap = 0.25 * {' * '.join(f'({name} + abs({name}))' for name in names)}"]


def _bridge(terms: Terms, noise: Noise | None) -> str:
    """Text of the condition that the path within the step has crossed the threshold."""
    fraction = shared_fraction(noise) if isinstance(noise, WhiteNoise) else 0.0
    if 0 < fraction < 1:
        chance = f"{bridge_uniform(terms.group, fraction)} < exp(-bridge_gap)"
        return f"bridge_gap <= 0 or (bridge_gap < {philox.SURE} and {chance})"
    stream, neuron = (Stream.SHARED_BRIDGE, "-1") if fraction else (Stream.BRIDGE, "noise_neuron")
    return f"{engine.draw('crossed', stream, 'bridge_gap', neuron=neuron)} > 0"


def _threshold(terms: Terms, noise: Noise | None, end: str) -> str:
    """Text of the condition for a spike, without a bridge, in a step from `v_prev` to `end` and then, by jumps, to `v`."""
    group, neuron = terms.group, terms.neuron
    before, level = _levels(terms)
    if isinstance(noise, EscapeNoise):
        names = group.bind_parameters(noise.law, "escape_")
        if isinstance(noise.law, Family):
            chance = substitute(noise.law.cdf_text, {**names, "x": f"(v - {level})"})
        else:
            chance = _hazard(neuron, noise.law, names, level, before)
        return f"{group.draw('uniform', Stream.ESCAPE)} < {chance}"
    if isinstance(neuron, ConductanceBased):
        crossing = f"v > {level} and v_prev <= {level}"
        return crossing if neuron.rearm == neuron.threshold else f"armed > 0 and {crossing}"
    highest = [("v", level)]
    if end == "v_end":
        highest.append(("v_end", level))
    top = [f"({terms.top})"] if terms.top else []
    return " or ".join([f"{state} > {bound}" for state, bound in highest] + top)


def _hazard(neuron: IntegrateAndFire, hazard: Any, names: dict, level: str, before: str) -> str:
    """Text of the spike probability from the hazard at both ends of the step."""
    at = {}
    for voltage, bound in (("v", level), ("v_prev", before)):
        rise = f"(({substitute(neuron.linear, {'v': voltage})}) / tau_m)"
        at[voltage] = substitute(hazard.rate_text, {**names, "x": f"({voltage} - {bound})", "rise": rise})
    return f"1 - exp(-clip(0.5 * span * (({at['v']}) + ({at['v_prev']})), 0, 700))"


def _share(terms: Terms, tau: Any) -> list[str]:
    """Lines that set `share`, the gain of the step for a drive; with conductances also `lapse`, its length in tau_m, and `load`.

    Channels are evaluated at the midpoint of the step.
    """
    group, neuron = terms.group, terms.neuron
    for suffix, length in (("", 1.0), ("_part", terms.h)):
        lapse = length * group.layout.dt / tau
        if terms.conductances or neuron.channels:
            group.bind("stride" + suffix, lapse, "1")
        else:
            group.bind("relax" + suffix, -np.expm1(-lapse) if neuron.leaky else lapse, "1")
    if not (terms.conductances or neuron.channels):
        return [f"share = {either('relax')}"]
    lines = [f"lapse = {either('stride')}"]
    if neuron.channels:
        now = [(f"near_{name}", reversal) for name, (_, reversal) in neuron.channels.items()]
        lines += [f"near_{name} = {conductance}" for name, (conductance, _) in neuron.channels.items()]
        lines += [
            f"near_load = {_load(neuron, terms.conductances + now)}",
            f"middle = v + ({_pulled(neuron, terms.conductances + now)}) * 0.5 * lapse * exprel(-0.5 * lapse * near_load)",
        ]
        for name, (conductance, reversal) in neuron.channels.items():
            lines.append(f"far_{name} = {substitute(conductance, {'v': 'middle'})}")
            terms.conductances.append((f"far_{name}", reversal))
    return [*lines, f"load = {_load(neuron, terms.conductances)}", "share = lapse * exprel(-lapse * load)"]


def _load(neuron: IntegrateAndFire, conductances: list[tuple[str, str]]) -> str:
    return " + ".join(["1"] * neuron.leaky + [g for g, _ in conductances])


def _pulled(neuron: IntegrateAndFire, conductances: list[tuple[str, str]]) -> str:
    return " + ".join([neuron.linear, *(f"{g} * ({e} - v)" for g, e in conductances)])


def _move(terms: Terms) -> list[str]:
    """Lines that set `moved`. Heun's rule: the nonlinear part is averaged over both ends of the step, with the same noise.

    The second end is predicted by an Euler step. With a reset it is limited to the threshold, beyond which the nonlinear part may
    be huge.
    """
    neuron, level = terms.neuron, terms.level
    kick = "".join(f" + {text}" for text in terms.kicks)
    linear = _pulled(neuron, terms.conductances)
    if neuron.nonlinear is None:
        return [f"moved = v + free * (({linear}) * share{kick})"]
    there = substitute(neuron.nonlinear, {"v": "guess"})
    # a neuron without a reset is above its threshold during each spike
    limit = "" if isinstance(neuron, ConductanceBased) else f" + int(ahead > {level}) * ({level} - ahead)"
    return [
        f"near = {neuron.nonlinear}",
        f"ahead = v + ({linear} + near) * share{kick}",
        f"guess = ahead{limit}",
        f"moved = v + free * (({linear} + 0.5 * (near + {there})) * share{kick})",
    ]


def start_texts(neuron: IntegrateAndFire, given: Collection[str]) -> dict[str, str]:
    """What else must be set when the variables in `given` have got start values: variable -> text, in order.

    Slow variables get the value of half a step before, gates that are not given are in equilibrium.
    """
    slow = {x: text for x, text in slow_starts(neuron).items() if x in given}
    if neuron.state not in given:
        return slow
    texts = default_starts(neuron, given) | slow
    texts |= {gate: _equilibrium(*rates) for gate, rates in neuron.gates.items() if gate not in given}
    if isinstance(neuron, ConductanceBased) and neuron.rearm != neuron.threshold:
        texts["armed"] = f"int(v <= {neuron.threshold})"
    return texts


def _equilibrium(opening: str, closing: str) -> str:
    return f"({opening}) / (({opening}) + ({closing}))"


def _gates(terms: Terms) -> None:
    """Gating variables, exact for a constant voltage; they start in equilibrium, half a step before the voltage."""
    for gate, (opening, closing) in terms.neuron.gates.items():
        terms.group.state(gate, "1")
        terms.group.initial[gate] = _equilibrium(opening, closing)
        terms.first += [
            f"opening_{gate} = {opening}",
            f"both_{gate} = opening_{gate} + {closing}",
            f"{gate} = {gate} + (opening_{gate} / both_{gate} - {gate}) * (1 - exp(-dt * both_{gate}))",
        ]
