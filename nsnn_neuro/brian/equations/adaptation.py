"""Brian2 code for slow variables (adaptation currents, moving thresholds), staggered by half a step against the voltage.

A slow variable x obeys tau dx/dt = target - x. Like gating variables it is staggered by half a step: step k integrates it from
(k - 1/2) dt to (k + 1/2) dt, exactly for a constant target, with the voltage at the midpoint k dt. The step of the membrane from k
dt to (k + 1) dt then uses its value at the midpoint. Both are second order in dt.

A spike in step k counts as at (k + 1/2) dt with the bridge and changes the variable directly. Without the bridge it counts as at
(k + 1) dt: the variable is moved forward by half a step, changed, and moved back. (The stored time of either is k dt.) A moving
threshold is needed on the grid, half a step later (`on_grid`).
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ...models.neurons import IntegrateAndFire
from ...models.neurons.expressions import ZERO, names_in
from .group_text import BRIAN_UNIT, GroupText, substitute

_MOST = 500.0  # largest exponent of a backward half step, for time constants far below dt


def _slow(neuron: IntegrateAndFire) -> dict[str, tuple[str, str]]:
    """`slow` of a neuron; a target of zero is written with the variable itself, since Brian2 loses the unit of `0*mV`."""
    return {
        x: (time, f"0 * {x}" if ZERO.fullmatch(target) else target)
        for x, (time, target) in neuron.slow.items()
    }


def start_slow(group: GroupText, neuron: IntegrateAndFire) -> None:
    """Add the variables, their constants and their initial values, half a step before time 0."""
    starts = default_starts(neuron)
    for x, (time, _) in _slow(neuron).items():
        lapse = group.layout.dt / np.asarray(neuron.si(time))
        group.state(x, neuron.membrane_unit)
        group.bind(f"relax_{x}", -np.expm1(-lapse), "1")
        group.bind(f"half_{x}", -np.expm1(-lapse / 2), "1")
        group.bind(f"back_{x}", np.expm1(np.minimum(lapse / 2, _MOST)), "1")
        group.initial[x] = starts[x]
    if _driven(neuron):
        group.state("drive_before", neuron.membrane_unit)
        group.initial["drive_before"] = "drive"


def default_starts(neuron: IntegrateAndFire, given: Collection[str] = ()) -> dict[str, str]:
    """Texts of the slow variables half a step before time 0, at which they have the values of `slow_start`, or 0.

    Those in `given` are left out: they have their values at time 0 already.
    """
    zero = "0" if neuron.membrane_unit == "1" else f"0 * {BRIAN_UNIT[neuron.membrane_unit]}"
    starts = {x: f"({neuron.slow_start.get(x, zero)})" for x in neuron.slow if x not in given}
    return {
        x: f"{starts[x]} + ({starts[x]} - ({substitute(target, starts)})) * back_{x}"
        for x, (_, target) in _slow(neuron).items()
        if x in starts
    }


def slow_starts(neuron: IntegrateAndFire) -> dict[str, str]:
    """Texts of each slow variable half a step before a time at which it has its present value."""
    return {x: f"{x} + ({x} - ({target})) * back_{x}" for x, (_, target) in _slow(neuron).items()}


def _driven(neuron: IntegrateAndFire) -> bool:
    return any("drive" in names_in(target) for _, target in neuron.slow.values())


def step_slow(neuron: IntegrateAndFire) -> list[str]:
    """Lines of the step from half a step before the grid point to half a step after it.

    Other slow variables in a target, and the drive, are evaluated at the grid point: half a step later, and as the mean of the
    drives before and after.
    """
    seen = {
        x for y, (_, target) in _slow(neuron).items() for x in names_in(target) & (neuron.slow.keys() - {y})
    }
    lines = [f"here_{x} = {on_grid(x, neuron)}" for x in neuron.slow if x in seen]
    for x, (_, target) in _slow(neuron).items():
        at = {y: f"here_{y}" for y in seen - {x}} | {"drive": "(0.5 * (drive_before + drive))"}
        lines.append(f"{x} = {x} + ({substitute(target, at)} - {x}) * relax_{x}")
    return [*lines, *(["drive_before = drive"] if _driven(neuron) else [])]


def on_grid(text: str, neuron: IntegrateAndFire) -> str:
    """`text` with slow variables half a step later, at the grid point, for the voltage there."""
    later = {x: f"({x} + ({target} - {x}) * half_{x})" for x, (_, target) in _slow(neuron).items()}
    return substitute(text, later)


def after_spike(neuron: IntegrateAndFire, level: str, *, middle: bool) -> tuple[list[str], list[str]]:
    """Lines before and after the reset of the membrane, for a spike at the midpoint of the step or at its end.

    Until the end the variables follow the membrane up to the threshold `level`.
    """
    changed = [neuron.after_spike] if neuron.after_spike else []
    if middle:
        return [], changed
    before = []
    if any("v" in names_in(target) for _, target in neuron.slow.values()):
        before.append(f"top = v + int(v > {level}) * ({level} - v)")
    before += [
        f"{x} = {x} + ({substitute(target, {'v': 'top'})} - {x}) * half_{x}"
        for x, (_, target) in _slow(neuron).items()
    ]
    after = [f"{x} = {text}" for x, text in slow_starts(neuron).items()]
    return before, [*changed, *after]
