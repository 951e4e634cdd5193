"""The membrane of a neuron given its spikes: all but the noise is known then.

With a moving threshold v_thresh + lift(t) the voltage is measured from the lift, x = V - lift, so
that the threshold is constant:

    tau dx/dt = linear(x + lift) - tau dlift/dt + nonlinear(x) + noise

The jump of the threshold by a spike comes after this spike, so that the chance of a spike does not
contain it.

All of it follows `simulate`: a spike of step k counts as at its middle, and the membrane is
released tau_refrac later. A step may be divided into an odd number of parts for a membrane that
moves far in it; everything here is then given for parts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np

from ...core.errors import NsnnError
from ...core.numba_jit import njit
from ...core.parameters import Model
from ...models.escape import EscapeNoise
from ...models.neurons import ConductanceBased, IntegrateAndFire
from ...models.neurons.expressions import STATEMENT, names_in, statements, value_of
from ...models.neurons.refractory import initial_voltage, release
from ...models.noise import WhiteNoise
from ...models.stimuli import Filtered, HeldSignal, Stimulus
from .synaptic import Synaptic

CURE = 'use method="simulation"'
_NONE = np.zeros(0)
_LEAST_SHARE, _LEAST_VARIANCE = 1e-4, 1e-30  # of its largest value, and V^2: least variance in a step


@dataclass(frozen=True, eq=False)
class Membrane:
    """A membrane given its spikes, SI."""

    tau: float
    threshold: float
    leaky: bool
    drive: np.ndarray
    """(n_steps,) of steps, or of all their parts: linear(x = 0) - tau rise, mean of each step"""
    lift: np.ndarray
    """(n_steps + 1,) on the grid"""
    rise: np.ndarray
    """(n_steps,) dlift/dt of each step, without the jump of a spike in this step"""
    nonlinear: str | None
    parameters: dict[str, Any]
    load: np.ndarray
    """(n_steps,) conductances of synapses in units of the leak, which add -load x to the force; or (0,)"""
    kick: np.ndarray
    """(n_steps,) jump at the end of each step; or (0,)"""
    spread: np.ndarray
    """(n_steps,) variance sigma^2 of white noise in each step, where it depends on the drive; or (0,)"""

    def sigma(self, noise: Any) -> float:
        """Standard deviation of the free membrane, the root mean square where it changes."""
        return float(np.sqrt(self.spread.mean()) if self.spread.size else noise.si("sigma"))

    def force(self, x: np.ndarray) -> np.ndarray:
        """The part of tau dx/dt that depends on x, of the shape of x."""
        total = -x if self.leaky else np.zeros_like(x)
        if self.nonlinear is not None:
            total = total + value_of(self.nonlinear, {**self.parameters, "v": x})
        return np.asarray(total, dtype=float)


@dataclass(frozen=True, eq=False)
class Stretches:
    """The stretches in which the membrane moves freely, to a spike or the trial's end.

    Steps are those of the trial, or their parts.
    """

    first: np.ndarray
    """(n,) the step in which each begins"""
    n_steps: np.ndarray
    """(n,) of each, with that of the spike"""
    length: np.ndarray
    """(n,) of the first step, in steps"""
    start: np.ndarray
    """(n,) x at the beginning"""
    spikes: np.ndarray
    """(n,) whether it ends with a spike"""

    def within(self, begin: int, end: int) -> Stretches:
        """Those that have steps from `begin` to before `end`."""
        some = (self.first + self.n_steps > begin) & (self.first < end)
        return Stretches(*(getattr(self, one.name)[some] for one in fields(self)))


def check_neuron(neuron: Any) -> None:
    """Raise NsnnError unless the spikes determine everything but the membrane.

    That is so for a membrane that is reset to one value, with slow variables that only spikes
    change.
    """
    who = type(neuron).__name__
    expected = f"the likelihood needs a neuron like LIF, PIF, EIF, QIF or GIF; {CURE}"
    if not isinstance(neuron, IntegrateAndFire) or isinstance(neuron, ConductanceBased):
        raise NsnnError(f"model = {who}(...): {expected}")
    if neuron.channels or neuron.gates:
        raise NsnnError(f"model = {who}(...), which has channels: {expected}")
    if neuron.reset.strip() != "v_reset":
        raise NsnnError(f"model = {who}(...), {who}.reset = {neuron.reset!r}: {expected}")
    fields = {field.name for field in neuron.parameter_fields()}
    for name, (_, target) in neuron.slow.items():
        if value_of(target, dict.fromkeys(fields | {name}, 1.0)) != 0:
            raise NsnnError(
                f"model = {who}(...), whose {name} relaxes to {target!r}: spikes alone do not determine it; {expected}"
            )
    for line in statements(neuron.after_spike):
        match = STATEMENT.fullmatch(line)
        if not match or match[1] not in neuron.slow or match[2] != "+" or not names_in(match[3]) <= fields:
            raise NsnnError(
                f"model = {who}(...), {who}.after_spike has {line!r}: expected jumps such as 'w += b'; {expected}"
            )
    if neuron.moving and neuron.nonlinear is not None:
        raise NsnnError(f"model = {who}(...), a nonlinear membrane with a moving threshold: {expected}")


def at_middle(noise: Any) -> bool:
    """Whether a spike counts as at the middle of its step, or, as with an escape family, at its end."""
    return not (isinstance(noise, EscapeNoise) and noise.family is not None)


def membrane(
    neuron: IntegrateAndFire,
    stimulus: Stimulus | None,
    o: np.ndarray,
    dt: float,
    *,
    middle: bool = True,
    lifted: bool = True,
    n_parts: int = 1,
    known: dict[Any, Any] | None = None,
    drives: dict[Any, Any] | None = None,
    inputs: Synaptic | None = None,
    noise: Any = None,
) -> Membrane:
    """The membrane of a neuron that `check_neuron` has accepted, given its spikes.

    stimulus : None is no drive
    o : (n_steps,) 1.0 in a step with a spike
    dt : s
    middle : whether a spike counts as at the middle of its step, or at its end
    lifted : False for a threshold that does not move, so that x is the voltage
    n_parts : of a step, an odd number; above 1 with spikes at the middle of steps
    known : drives and decays that are known, to which those of this neuron are added: rows of
        parameters share many
    drives : the same of drives alone, which take less memory where every row has decays of its own
    inputs : of synapses, in steps or their parts
    noise : white noise, whose variance may depend on the drive
    """
    n, dt = len(o) * n_parts, dt / n_parts
    parameters = {field.name: neuron.si(field.name) for field in neuron.parameter_fields()}
    jumps: dict[str, float] = dict.fromkeys(neuron.slow, 0.0)
    for line in statements(neuron.after_spike):
        match = STATEMENT.fullmatch(line)
        assert match is not None
        jumps[match[1]] += float(value_of(match[3], parameters))
    mid, grid, rates, hows = {}, {}, {}, {}
    for name, (time, _) in neuron.slow.items():
        start = float(value_of(neuron.slow_start.get(name, "0"), parameters))
        rates[name] = dt / parameters[time]
        hows[name] = (start, jumps[name], float(rates[name]), middle, n_parts)
        make = partial(_decaying, o, *hows[name])
        mid[name], grid[name] = _once(known, ("decay", id(o), *hows[name]), make)
    drive = np.zeros(n)
    if stimulus is not None:
        drive = _drive(stimulus, n, dt, n_parts, known if drives is None else drives)
    spread = _NONE
    if isinstance(noise, WhiteNoise) and noise.weighted:
        spread = np.asarray(noise.variance(drive))
        spread = np.maximum(spread, max(_LEAST_SHARE * np.abs(spread).max(), _LEAST_VARIANCE))
    lift, rise = np.zeros(n + 1), np.zeros(n)
    at: dict[str, Any] = {**parameters, **mid, "drive": drive, "v": 0.0}
    moves = bool(neuron.moving) and lifted
    if moves:

        def moved() -> tuple[np.ndarray, np.ndarray, Any]:
            end = {name: mid[name] * np.exp(-rate / 2) for name, rate in rates.items()}
            lift = np.broadcast_to(value_of(neuron.moving, {**parameters, **grid}), n + 1).astype(float)
            rise = (np.broadcast_to(value_of(neuron.moving, {**parameters, **end}), n) - lift[:-1]) / dt
            return lift, rise, value_of(neuron.moving, at)

        values = {**parameters, **hows}
        key = ("lift", id(o), dt, neuron.moving, *map(values.get, sorted(names_in(neuron.moving))))
        lift, rise, at["v"] = _once(known, key, moved)
    total = value_of(neuron.linear, at)
    if moves:
        total = total - parameters["tau_m"] * rise
    load = kick = _NONE
    if inputs is not None:
        load, kick = inputs.load, inputs.kick
        total = total + inputs.current - (load * at["v"] if load.size else 0.0)
    return Membrane(
        parameters["tau_m"],
        float(parameters[neuron.threshold]),
        neuron.leaky,
        np.ascontiguousarray(np.broadcast_to(total, n), dtype=float),
        lift,
        rise,
        neuron.nonlinear,
        parameters,
        load,
        kick,
        spread,
    )


def _once(known: dict[Any, Any] | None, key: Any, make: Callable[[], Any]) -> Any:
    """What is known by this key, made where it is not."""
    if known is None:
        return make()
    if key not in known:
        known[key] = make()
    return known[key]


def _content(model: Model, without: tuple[str, ...] = ()) -> tuple[Any, ...]:
    """What tells a model from others of one call: values, and which objects it holds."""
    own = {field.name for field in model.parameter_fields()}
    values = [np.asarray(model.si(name)).tobytes() for name in sorted(own.difference(without))]
    others = [(name, one) for name, one in vars(model).items() if name not in own and name != "_known_si"]
    return (
        type(model),
        *values,
        *((name, _content(one) if isinstance(one, Model) else id(one)) for name, one in others),
    )


def _drive(stimulus: Stimulus, n: int, dt: float, n_parts: int, known: dict[Any, Any] | None) -> np.ndarray:
    """The drive of each part of a step, (n,): at its middle, or the sample."""
    if isinstance(stimulus, HeldSignal):
        parts = 1 if isinstance(stimulus, Filtered) else n_parts
        size = (n // parts, parts * dt)
        content = _content(stimulus, without=("gain", "offset"))
        areas, period = _once(known, ("areas", *size, content), partial(stimulus.areas, *size))
        held = stimulus.scaled(areas, period, parts * dt)
        return held if parts == 1 else np.repeat(held, parts)
    size = (2 * n, dt / 2) if stimulus.text is not None else (n // n_parts, n_parts * dt)
    samples = _once(known, ("drive", *size, _content(stimulus)), partial(stimulus.samples, *size))
    if stimulus.text is not None:
        return np.asarray(samples[1::2], dtype=float)
    return np.repeat(np.asarray(samples, dtype=float), n_parts)


def _decaying(
    o: np.ndarray, start: float, jump: float, rate: float, middle: bool, n_parts: int
) -> tuple[np.ndarray, np.ndarray]:
    """A variable that decays and jumps at spikes: at the middle of parts, and on their grid.

    In the step of a spike it is as if there were none: the chance of a spike must not depend on
    this spike.
    """
    left = jump * (np.exp(-rate * n_parts / 2) if middle else 1.0)  # at the end of the step of the spike
    return _decay(o, start, left, np.exp(-rate), np.exp(-rate / 2), n_parts)


@njit(cache=True)  # pragma: no cover - compiled
def _decay(
    o: np.ndarray, start: float, left: float, decay: float, half: float, n_parts: int
) -> tuple[np.ndarray, np.ndarray]:
    """What `_decaying` returns."""
    mid, grid = np.empty(len(o) * n_parts), np.empty(len(o) * n_parts + 1)
    value, grid[0], source = 0.0, start, start * half
    for step in range(len(o)):
        for k in range(step * n_parts, (step + 1) * n_parts):
            value = source + decay * value
            mid[k], grid[k + 1], source = value, value * half, 0.0
        jump = o[step] * left
        grid[(step + 1) * n_parts] += jump
        source = jump * half
    return mid, grid


def stretches(
    neuron: IntegrateAndFire,
    lift: np.ndarray,
    o: np.ndarray,
    dt: float,
    *,
    middle: bool = True,
    t_start: float = 0.0,
    n_parts: int = 1,
) -> Stretches:
    """The free stretches of a trial whose spikes are o, (n_steps,) 1.0 in a step with a spike.

    NsnnError : a spike in the refractory time of the one before
    """
    n = len(o) * n_parts
    where = np.flatnonzero(o)
    j, h = (np.asarray(x).item() for x in release(neuron.si("tau_refrac"), dt / n_parts, middle))
    early_by = max((n_parts + 1) // 2 - int(j), 0)  # the rest of the step of a spike has no other one
    j, h = int(j) + early_by, h + early_by
    first = np.concatenate([[0], where * n_parts + n_parts // 2 + j])
    end = np.concatenate([(where + 1) * n_parts, [n]])
    early = np.flatnonzero(first[1:-1] >= end[1:-1]) if where.size > 1 else np.empty(0, dtype=int)
    if early.size:
        k = int(early[0])
        raise NsnnError(
            f"tau_refrac = {1e3 * neuron.si('tau_refrac'):.6g} ms: trains have spikes at {t_start + where[k] * dt:.6g} s and "
            f"{t_start + where[k + 1] * dt:.6g} s, which is too close ({early.size} of {where.size - 1} intervals are): expected "
            "no shorter interval; take a smaller tau_refrac, or merge double detections"
        )
    length = np.concatenate([[1.0], np.full(where.size, float(h))])
    first = np.minimum(first, end)  # the rest after a last spike may be shorter than the refractory time
    at = np.minimum(first, n - 1)
    lifted = lift[at + 1] - (lift[at + 1] - lift[at]) * length
    start = np.where(first == 0, float(initial_voltage(neuron)), float(neuron.si("v_reset"))) - lifted
    ends = np.concatenate([np.ones(where.size, dtype=bool), [False]])
    return Stretches(first, end - first, length, start, ends)
