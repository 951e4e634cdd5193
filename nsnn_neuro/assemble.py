"""The one place that writes Brian2 equations and makes Brian2 objects from records.

The linear part of a membrane takes the exact step of its equation (`_membrane`, `_white`, `_ou`): over a step of length h,

    V -> m + S z,   m = mu + (V - mu) exp(-h/tau),   S^2 = sigma^2 (1 - exp(-2 h / tau))

(without leak m = V + mu h/tau, S^2 = 2 sigma^2 h/tau). A nonlinear part joins mu, by Heun's rule (`_move`): with this additive
noise Ito's and Stratonovich's calculus agree.

Threshold crossings between grid points, with `bridge` on: a step that enters at x0 and ends at x1, both below threshold, has
crossed with probability exp(-2 (theta - x0)(theta - x1) / S^2) (white noise only; under OU input V is differentiable).

Refractoriness counts real time, not steps. A spike found in step k happened on average at (k + 1/2) dt with the bridge, and by
definition at (k + 1) dt without it. The membrane is released tau_refrac after that, in general inside a step, whose remaining
length h is what it then takes (`_release`). So intervals are not lengthened by the grid, and tau_refrac need not be a multiple
of dt.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from brian2 import NeuronGroup, TimedArray, second
from brian2.utils.stringtools import word_substitute
from scipy import special

from . import engine, keyed_noise, units
from .errors import NsnnError
from .keyed_noise import Stream
from .neurons import IntegrateAndFire, Neuron, NSNNNeuron
from .noise import EscapeNoise, Noise, OUNoise, WhiteNoise
from .records import Record
from .stimuli import Stimulus

__all__ = ["Layout", "group"]

_BRIAN_UNIT = {"V": "volt", "1/V": "1/volt", "1": "1", "s": "second", "Hz": "hertz"}
_NEVER = 1e150  # stands for 1/0 in the bridge of a neuron without noise: its probability underflows to 0
_SURE = 37.0  # exp(-37) is below the smallest uniform draw, 2**-53: beyond it the draw needs no evaluation


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a group's members are numbered: member = trial * n_neurons + neuron; and the grid of time."""

    n_neurons: int
    trials: int
    dt: float
    n_steps: int
    key: tuple[int, int]
    point: int = 0

    @property
    def size(self) -> int:
        """The number of members of the group."""
        return self.n_neurons * self.trials


class _Model:
    """Collects equations, constants and initial values. Scalars become constants, arrays per-neuron constants."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.equations: list[str] = [
            "noise_neuron : integer (constant)",
            "noise_trial : integer (constant)",
            "noise_point : integer (constant)",
            "noise_key0 : integer (shared, constant)",
            "noise_key1 : integer (shared, constant)",
        ]
        self.namespace: dict[str, Any] = dict(engine.functions())
        self.initial: dict[str, Any] = {
            "noise_neuron": np.tile(np.arange(layout.n_neurons), layout.trials),
            "noise_trial": np.repeat(np.arange(layout.trials), layout.n_neurons),
            "noise_point": layout.point,
            "noise_key0": layout.key[0],
            "noise_key1": layout.key[1],
        }

    def bind(self, name: str, value: Any, unit: str) -> None:
        """Give a parameter (an SI number, or an array of shape (n_neurons,)) a name in the model's text."""
        value = np.asarray(value)
        if value.ndim == 0:
            self.namespace[name] = units.brian(value[()], unit) if unit != "1" else value[()]
            return
        if value.shape != (self.layout.n_neurons,):
            raise NsnnError(
                f"{name} has shape {value.shape}: expected a number or shape (n_neurons,) = ({self.layout.n_neurons},)"
            )
        integer = value.dtype.kind in "iu"
        self.equations.append(f"{name} : {'integer' if integer else _BRIAN_UNIT[unit]} (constant)")
        tiled = np.tile(value, self.layout.trials)
        self.initial[name] = tiled if unit == "1" else units.brian(tiled, unit)

    def state(self, name: str, unit: str, initial: Any = None) -> None:
        """Add a variable that the dynamics change; `initial` is an SI number or an array of shape (n_neurons,) or (size,)."""
        self.equations.append(f"{name} : {_BRIAN_UNIT.get(unit, unit)}")
        if initial is not None:
            value = np.asarray(initial)
            value = np.tile(value, self.layout.trials) if value.shape == (self.layout.n_neurons,) else value
            self.initial[name] = value if unit in ("1", "integer") else units.brian(value, unit)

    def record(self, record: Record, prefix: str = "") -> dict[str, str]:
        """Bind all parameters of a record; returns old -> new names for its text."""
        names = {f.name: prefix + f.name for f in record._parameters()}
        for old, new in names.items():
            self.bind(new, record.si(old), record.unit(old))
        return names

    def make(self, threshold: str, reset: str, name: str, update: str) -> NeuronGroup:
        """The Brian2 group, with its state update run in the slot of state updates."""
        group = NeuronGroup(
            self.layout.size,
            "\n".join(self.equations),
            threshold=threshold,
            reset=reset,
            namespace=self.namespace,
            dt=self.layout.dt * second,
            name=name,
        )
        for variable, value in self.initial.items():
            setattr(group, variable, value)
        group.run_regularly(update, when="groups", name=f"{name}_step")
        return group


def group(
    neuron: Neuron,
    noise: Noise | None,
    stimulus: Stimulus | None,
    layout: Layout,
    *,
    bridge: bool = True,
    name: str = "neurons",
) -> NeuronGroup:
    """The Brian2 group of a population: neuron, noise and stimulus, `layout.trials` copies of `layout.n_neurons` neurons.

    Raises
    ------
    NsnnError : parts that don't fit (units, array shapes, a noise that the neuron cannot have)
    """
    _check_units(neuron, noise, stimulus)
    model = _Model(layout)
    _add_drive(model, stimulus, neuron.membrane_unit)
    match neuron:
        case IntegrateAndFire():
            return _membrane(model, neuron, noise, bridge, name)
        case NSNNNeuron():
            return _discrete(model, neuron, noise, name)
        case _:
            raise NsnnError(
                f"model = {type(neuron).__name__}: expected a neuron such as LIF(...) or NSNNNeuron(...)"
            )


def _check_units(neuron: Neuron, noise: Noise | None, stimulus: Stimulus | None) -> None:
    unit, who = neuron.membrane_unit, type(neuron).__name__
    if (
        isinstance(neuron, IntegrateAndFire)
        and neuron.nonlinear is not None
        and isinstance(noise, EscapeNoise)
    ):
        raise NsnnError(
            f"noise = EscapeNoise(...): the spike of a {who} starts itself, so it has no distance to threshold; give it "
            "WhiteNoise or OUNoise, or take LIF"
        )
    if isinstance(neuron, NSNNNeuron) and isinstance(noise, WhiteNoise | OUNoise):
        raise NsnnError(
            f"noise = {type(noise).__name__}(...): an NSNNNeuron has escape noise, e.g. EscapeNoise(Gaussian(0.4)); "
            "for a noisy membrane use LIF"
        )
    if stimulus is not None and stimulus.drive_unit != unit:
        raise NsnnError(
            f"stimulus = {type(stimulus).__name__}(...) has unit {stimulus.drive_unit!r}: the drive of this {who} is in "
            f"its membrane's unit, {units.describe(unit)}"
        )
    if isinstance(noise, WhiteNoise | OUNoise) and noise.unit("sigma") != unit:
        raise NsnnError(
            f"sigma = {noise.sigma}: the membrane of this {who} has the unit of {units.describe(unit)}"
        )
    if isinstance(noise, EscapeNoise) and noise.family.x_unit != unit:
        raise NsnnError(
            f"family = {noise.family}: its argument is a distance to threshold, for this {who} {units.describe(unit)}"
        )


def _add_drive(model: _Model, stimulus: Stimulus | None, unit: str) -> None:
    if stimulus is None:
        model.equations.append(
            f"drive = 0 * {_BRIAN_UNIT[unit]} : {_BRIAN_UNIT[unit]}" if unit != "1" else "drive = 0 : 1"
        )
        return
    if stimulus.text is not None:
        text = word_substitute(stimulus.text, model.record(stimulus, "stim_"))
    else:
        values = stimulus.samples(model.layout.n_steps, model.layout.dt)
        if values.ndim == 2 and values.shape[1] != model.layout.n_neurons:
            raise NsnnError(
                f"signal has {values.shape[1]} channels: expected 1 or n_neurons = {model.layout.n_neurons}"
            )
        model.namespace["stim_samples"] = TimedArray(
            units.brian(values, unit), dt=model.layout.dt * second, name="stim_samples"
        )
        text = "stim_samples(t)" if values.ndim == 1 else "stim_samples(t, noise_neuron)"
    model.equations.append(f"drive = {text} : {_BRIAN_UNIT[unit]}")


def _shared(kind_private: Stream, kind_shared: Stream, noise: WhiteNoise | OUNoise, model: _Model) -> str:
    """Text of a standard normal with the fraction `noise.shared` of its variance common to the neurons of a trial."""
    fraction = noise.si("shared")
    if np.ndim(fraction):
        raise NsnnError(f"shared has shape {np.shape(fraction)}: expected one number")
    private, common = engine.draw("normal", kind_private), engine.draw("normal", kind_shared, neuron="-1")
    if fraction == 0:
        return private
    if fraction == 1:
        return common
    model.bind("noise_common", np.sqrt(fraction), "1")
    model.bind("noise_private", np.sqrt(1 - fraction), "1")
    return f"(noise_common * {common} + noise_private * {private})"


def _release(tau_refrac: Any, dt: float, bridge: bool) -> tuple[np.ndarray, np.ndarray]:
    """When a neuron that fired in step k moves again: in step k + j, for a step of h dt (0 < h <= 1.5).

    The spike is at k + 1/2 steps with the bridge, at k + 1 without. Returns (j, h), j >= 1.
    """
    free_at = (0.5 if bridge else 1.0) + np.asarray(tau_refrac) / dt
    whole = np.floor(free_at + 1e-9)  # 2 ms / 0.1 ms is 20, not 19.999999999999996
    j = np.maximum(1, whole)
    return j.astype(np.int32), j + 1 - np.where(np.abs(free_at - whole) < 1e-9, whole, free_at)


def _membrane(
    model: _Model, neuron: IntegrateAndFire, noise: Noise | None, bridge: bool, name: str
) -> NeuronGroup:
    """A continuous membrane: exact step of what is linear, Heun step of what isn't, a threshold and refractoriness."""
    unit, dt = neuron.membrane_unit, model.layout.dt
    model.record(neuron)
    escape = noise if isinstance(noise, EscapeNoise) else None
    j, h = _release(neuron.si("tau_refrac"), dt, bridge and escape is None)
    model.bind("hold_steps", j, "1")
    model.state("v", unit, _start(neuron))
    model.state("v_prev", unit)
    model.state("hold", "integer", 0)
    model.state("free", "integer", 0)
    tau = np.asarray(neuron.si("tau_m"))
    for suffix, length in (("", 1.0), ("_part", h)):
        relax = -np.expm1(-length * dt / tau) if neuron.leaky else length * dt / tau
        model.bind("relax" + suffix, relax, "1")
    step = [
        "free = int(hold <= 1)",
        "part = int(hold == 1)",
        "hold = int(hold > 0) * (hold - 1)",
        f"share = {_either('relax')}",
    ]
    threshold, kick = f"v > {neuron.threshold}", ""
    match noise:
        case WhiteNoise() if np.any(np.asarray(noise.si("sigma")) > 0):
            step += _white(model, noise, tau, h, unit, neuron.leaky, bridge)
            threshold, kick = _bridged(threshold, neuron.threshold) if bridge else threshold, " + kick"
        case OUNoise() if np.any(np.asarray(noise.si("sigma")) > 0):
            step += _ou(model, noise, tau, h, unit, neuron.leaky)
            kick = " + kick"
    step += _move(neuron, kick) + _slow(model, neuron, unit)
    if escape is not None:
        chance = _escape_text(model, escape, f"(v - {neuron.threshold})")
        threshold = f"{engine.draw('uniform', Stream.ESCAPE)} < {chance}"
    # via `moved`: on Brian2's NumPy target "v_prev = v" followed by "v = v + ..." changes v_prev too (an alias, updated in place)
    step += ["v_prev = v", "v = moved"]
    reset = [f"v = {neuron.reset}", "hold = hold_steps", *filter(None, [neuron.after_spike])]
    return model.make(f"free == 1 and ({threshold})", "\n".join(reset), name, "\n".join(step))


def _start(neuron: IntegrateAndFire) -> np.ndarray:
    """Where a trial starts: at rest, or at the reset where there is no rest below threshold."""
    reset = np.asarray(neuron.si("v_reset"))
    if not hasattr(neuron, "v_rest"):
        return reset
    return np.where(neuron.si("v_rest") < neuron.si(neuron.threshold), neuron.si("v_rest"), reset)


def _move(neuron: IntegrateAndFire, kick: str) -> list[str]:
    """Text of the membrane's step. Heun: the nonlinear part is the mean of its values at both ends, with the same noise.

    The far end is first guessed with the value at the near one, and not beyond the threshold, where the part may be huge.
    """
    if neuron.nonlinear is None:
        return [f"moved = v + free * (({neuron.linear}) * share{kick})"]
    there = word_substitute(neuron.nonlinear, {"v": "guess"})
    return [
        f"near = {neuron.nonlinear}",
        f"ahead = v + ({neuron.linear} + near) * share{kick}",
        f"guess = ahead + int(ahead > {neuron.threshold}) * ({neuron.threshold} - ahead)",
        f"moved = v + free * (({neuron.linear} + 0.5 * (near + {there})) * share{kick})",
    ]


def _slow(model: _Model, neuron: IntegrateAndFire, unit: str) -> list[str]:
    """Text of the slow variables' step: exact for a membrane that stands still."""
    lines = []
    for variable, (time, target) in neuron.slow.items():
        model.state(variable, unit, 0.0)
        model.bind(f"relax_{variable}", -np.expm1(-model.layout.dt / np.asarray(neuron.si(time))), "1")
        lines.append(f"{variable} = {variable} + ({target} - {variable}) * relax_{variable}")
    return lines


def _either(name: str) -> str:
    """Text that is `name` in a full step and `name`_part in the first, partial step after refractoriness."""
    return f"{name} + part * ({name}_part - {name})"


def _white(
    model: _Model, noise: WhiteNoise, tau: Any, h: Any, unit: str, leaky: bool, bridge: bool
) -> list[str]:
    """Text of white noise's part of a step, `kick`, and of what the bridge needs."""
    dt, sigma = model.layout.dt, np.asarray(noise.si("sigma"))
    for suffix, length in (("", 1.0), ("_part", h)):
        variance = -np.expm1(-2 * length * dt / tau) if leaky else 2 * length * dt / tau
        sd = sigma * np.sqrt(variance)
        model.bind("step_sd" + suffix, sd, unit)
        if bridge:
            with np.errstate(divide="ignore"):
                steep = np.where(sd > 0, np.sqrt(2) / sd, _NEVER)
            model.bind("steep" + suffix, steep, {"V": "1/V", "1": "1"}[unit])
    step = [f"kick = ({_either('step_sd')}) * {_shared(Stream.MEMBRANE, Stream.SHARED, noise, model)}"]
    if bridge:
        model.state("bridge_steep", {"V": "1/V", "1": "1"}[unit])
        step.append(f"bridge_steep = {_either('steep')}")
    return step


def _bridged(threshold: str, level: str) -> str:
    """Fire also when the path between the step's two ends, both below threshold, has crossed it (Brownian bridge)."""
    exponent = f"(({level} - v_prev) * bridge_steep) * (({level} - v) * bridge_steep)"
    chance = f"{exponent} < {_SURE} and {engine.draw('uniform', Stream.BRIDGE)} < exp(-clip({exponent}, 0, {_SURE}))"
    return f"{threshold} or v_prev >= {level} or ({chance})"


def _ou(model: _Model, noise: OUNoise, tau: Any, h: Any, unit: str, leaky: bool) -> list[str]:
    """Text of OU input's part of a step, `kick`: the joint exact step of a linear membrane and the current."""
    dt, sigma, tau_noise = model.layout.dt, np.asarray(noise.si("sigma")), np.asarray(noise.si("tau_noise"))
    for suffix, length in (("", 1.0), ("_part", h)):
        pull, root = ou_step(length * dt, tau, tau_noise, sigma, leaky)
        model.bind("pull" + suffix, pull, "1")
        for name, value in root.items():
            model.bind(name + suffix, value, unit)
    model.bind("keep", np.exp(-dt / tau_noise), "1")
    model.state("i_noise", unit, _ou_start(model, noise, sigma * np.sqrt(1 + tau / tau_noise)))
    return [
        f"z_i = {_shared(Stream.OU_CURRENT, Stream.SHARED_OU_CURRENT, noise, model)}",
        f"z_v = {_shared(Stream.MEMBRANE, Stream.SHARED, noise, model)}",
        f"kick = i_noise * ({_either('pull')}) + ({_either('root_vi')}) * z_i + ({_either('root_vv')}) * z_v",
        "i_noise = keep * i_noise + root_ii * z_i",
    ]


def _ou_start(model: _Model, noise: OUNoise, sigma_i: Any) -> np.ndarray:
    """The currents at time 0, from their stationary law, shape (size,)."""
    layout, fraction = model.layout, noise.si("shared")
    neuron, trial = model.initial["noise_neuron"], model.initial["noise_trial"]
    private = keyed_noise.normal(0, neuron, trial, layout.point, Stream.OU_START, *layout.key)
    common = keyed_noise.normal(0, -1, trial, layout.point, Stream.SHARED_OU_START, *layout.key)
    z = np.sqrt(fraction) * common + np.sqrt(1 - fraction) * private
    return z * np.tile(np.broadcast_to(sigma_i, layout.n_neurons), layout.trials)


def ou_step(
    h: Any, tau: Any, tau_noise: Any, sigma: Any, leaky: bool = True
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The exact step of tau dV = (I - V) dt (tau dV = I dt without leak), tau_noise dI = -I dt + noise, over a time h.

    Returns the weight of I in the new V and the Cholesky factor of the step's covariance, in the order (I, V): root_ii,
    root_vi, root_vv. With a leak the covariance is that which keeps the stationary law, P - A P A^T.
    """
    a, e = np.exp(-h / tau_noise), np.exp(-h / tau)
    p_ii = sigma**2 * (1 + tau / tau_noise)
    q_ii = p_ii * -np.expm1(-2 * h / tau_noise)
    if leaky:
        pull = h / tau * e * special.exprel(h / tau - h / tau_noise)
        p_vi, p_vv = p_ii * tau_noise / (tau_noise + tau), sigma**2
        q_vi = p_vi - a * (pull * p_ii + e * p_vi)
        q_vv = p_vv - (e**2 * p_vv + 2 * e * pull * p_vi + pull**2 * p_ii)
    else:
        ratio = tau_noise / tau
        pull = ratio * -np.expm1(-h / tau_noise)
        q_vi = p_ii * ratio * (1 - a) ** 2
        q_vv = p_ii * ratio**2 * (2 * h / tau_noise - 3 + 4 * a - a**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        root_ii = np.sqrt(q_ii)
        root_vi = np.where(root_ii > 0, q_vi / root_ii, 0.0)
        root_vv = np.sqrt(np.maximum(q_vv - root_vi**2, 0.0))
    return pull, {"root_ii": root_ii, "root_vi": root_vi, "root_vv": root_vv}


def _escape_text(model: _Model, noise: EscapeNoise, x: str) -> str:
    family = noise.family
    return word_substitute(family.cdf_text, {**model.record(family, "escape_"), "x": x})


def _discrete(model: _Model, neuron: NSNNNeuron, noise: Noise | None, name: str) -> NeuronGroup:
    """The discrete NSNN neuron: one update for each step; the spike and its reset are the same draw."""
    model.record(neuron)
    model.state("u", "1", 0.0)
    model.state("o", "integer", 0)
    threshold = f"u > {neuron.threshold}"
    if isinstance(noise, EscapeNoise):
        threshold = f"{engine.draw('uniform', Stream.ESCAPE)} < {_escape_text(model, noise, f'(u - {neuron.threshold})')}"
    update = f"{neuron.updates[neuron.reset]}\no = 0"
    return model.make(threshold, "o = 1", name, update)
