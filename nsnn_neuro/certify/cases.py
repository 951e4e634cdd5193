"""Certification cases: neuron, noise and drive with parameter values, and the theory that each is compared with."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .. import theory
from ..core import units
from ..models import escape
from ..models.escape import DoubleNoise, EscapeNoise
from ..models.neurons import (
    EIF,
    GIF,
    LIF,
    PIF,
    QIF,
    AdEx,
    Neuron,
    NSNNNeuron,
    PoissonSource,
    Relay,
    WangBuzsaki,
)
from ..models.noise import (
    MultiplicativeNoise,
    Noise,
    PoissonInput,
    PoissonNoise,
    ThresholdNoise,
    WhiteNoise,
)
from ..models.stimuli import Constant, Step, Stimulus
from ..models.synapses import AlphaSynapse, ExponentialSynapse
from . import expected

mV, ms, Hz = units.brian(1e-3, "V"), units.brian(1e-3, "s"), units.brian(1.0, "Hz")
Theory = Callable[[float], dict[str, float]]  # of dt in s


class Estimated(NamedTuple):
    """A quantity from one run: its value, standard error, and the number of spikes (or intervals) behind it."""

    value: float
    se: float
    n: int


Measurement = Callable[[float, int], dict[str, Estimated]]  # of dt in s and a seed


@dataclasses.dataclass(frozen=True)
class Case:
    """One neuron with one noise model, simulated at several dt, the certified one first.

    `mode` is the label of its row in the table. `reason` says why there is no theory, or is a note on it.
    """

    neuron: Neuron
    noise: Noise | None
    mode: str
    theory: Theory | None = None
    stimulus: Stimulus | None = None
    reason: str = ""
    dts: tuple[float, ...] = (0.1, 0.05, 0.2, 0.4)  # ms
    per_step: bool = False  # theory depends on dt
    bridge: bool = True
    burn_in: float = 0.3  # s
    gain: Theory | None = None  # adds rows against this at several dt, which show the effect of the bridge
    shared: bool = False  # neurons of a trial are correlated: the standard error is that of trials
    measure: Measurement | None = None  # in place of a simulation of `neuron` and its rate and CV
    end_of_range: bool = False  # only with `ranges`

    def exact(self) -> dict[float, dict[str, float]]:
        """The values from theory at each dt (ms)."""
        assert self.theory is not None
        if self.per_step:
            return {dt: self.theory(1e-3 * dt) for dt in self.dts}
        return dict.fromkeys(self.dts, self.theory(1e-3 * self.dts[0]))


LIF_NEURON = LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
PIF_NEURON = PIF(tau_m=10 * ms, v_reset=0 * mV, v_thresh=10 * mV, tau_refrac=2 * ms)
_EIF: dict[str, Any] = {
    "tau_m": 10 * ms, "v_rest": -65 * mV, "v_reset": -68 * mV, "v_thresh": -60 * mV, "delta_T": 3.5 * mV,
    "v_spike": -30 * mV, "tau_refrac": 2 * ms,
}  # fmt: skip
EIF_NEURON = EIF(**_EIF)
QIF_NEURON = QIF(
    tau_m=10 * ms, v_rest=-65 * mV, v_reset=-75 * mV, v_thresh=-55 * mV, v_spike=-10 * mV, tau_refrac=2 * ms
)
_SLOW = 2.0  # s, time constant of slow adaptation


def _gif(b: Any, b_thresh: Any, v_rest: Any = 0 * mV) -> GIF:
    lif: dict[str, Any] = {f.name: getattr(LIF_NEURON, f.name) for f in dataclasses.fields(LIF_NEURON)}
    lif["v_rest"] = v_rest
    return GIF(**lif, tau_w=1e3 * _SLOW * ms, b=b, tau_thresh=1e3 * _SLOW * ms, b_thresh=b_thresh)


_driven_gif = functools.partial(_gif, v_rest=30 * mV)


def _adex(b: Any) -> AdEx:
    return AdEx(**_EIF, tau_w=1e3 * _SLOW * ms, a=0.0, b=b)


NEURON: dict[type[Neuron], Neuron] = {
    LIF: LIF_NEURON, PIF: PIF_NEURON, EIF: EIF_NEURON, QIF: QIF_NEURON, AdEx: _adex(0 * mV), GIF: _gif(0 * mV, 0 * mV),
    WangBuzsaki: WangBuzsaki(), NSNNNeuron: NSNNNeuron(), Relay: Relay(), PoissonSource: PoissonSource(40 * Hz),
}  # fmt: skip
WHITE = WhiteNoise(5 / np.sqrt(2) * mV)


def _mode(model: Any) -> str:
    """The name of a family or hazard; the seed of a case depends on it, so it stays when a class is renamed."""
    return str(model.type_name())


def case(
    neuron: Any, noise: Noise, drive: float, law: Callable[..., dict[str, float]], mode: str = "", **more: Any
) -> Case:
    """A case driven by `drive` (mV); its theory is `law(neuron, noise, drive in V)`, with dt as fourth argument if `per_step`."""

    def exact(dt: float) -> dict[str, float]:
        return law(neuron, noise, 1e-3 * drive, *((dt,) if more.get("per_step") else ()))

    return Case(neuron, noise, mode, exact, Constant(drive * mV), **more)


def leaky_white(_: Any) -> Iterator[Case]:
    """LIF in white noise: with the bridge, without it against a raised threshold, and with shared noise."""
    law = expected.leaky_white

    def rate(dt: float) -> dict[str, float]:
        return law(LIF_NEURON, WHITE, 0.02, cv=False)

    def on_grid(neuron: Any, noise: Noise, drive: float, dt: float) -> dict[str, float]:
        raised = theory.discrete_threshold(0.02, noise.si("sigma"), tau_m=0.02, dt=dt)
        return law(neuron, WHITE, drive, cv=False, v_thresh=raised)

    yield case(LIF_NEURON, WHITE, 20, law, "bridge", gain=rate)
    note = "of a threshold raised by theory.discrete_threshold"
    yield case(LIF_NEURON, WHITE, 20, on_grid, "grid", reason=note, per_step=True, bridge=False, gain=rate)
    half = WhiteNoise(WHITE.sigma, shared=0.3)
    yield Case(LIF_NEURON, half, "shared .3", rate, Constant(20 * mV), dts=(0.1,), shared=True)


def multiplicative(neuron: Any, drive: float, sigma: float, v_zero: float, **more: Any) -> Iterator[Case]:
    """Any one-dimensional neuron in multiplicative noise, one case for each calculus."""
    prefix = more.pop("mode", "")
    law = expected.leaky_multiplicative if type(neuron) in (LIF, GIF) else expected.fokker_planck
    dts = more.pop("dts", Case.dts)
    for calculus in more.pop("calculi", ("ito", "stratonovich")):
        noise = MultiplicativeNoise(sigma, v_zero * mV, calculus=calculus)
        mode = ", ".join(filter(None, [calculus.capitalize(), prefix]))
        yield case(neuron, noise, drive, law, mode, dts=dts, **more)
        dts = tuple(dt for dt in dts if dt in (dts[0], 0.2))  # the first case estimates the order


JUMPS = PoissonNoise(2000 * Hz, 0.5 * mV, rate_inh=600 * Hz, weight_inh=-0.5 * mV)
"""Up and down by a twentieth of the distance to threshold."""
_EXCITED, _INHIBITED = (
    PoissonInput(20 * Hz, w * mV, synapse=ExponentialSynapse(5 * ms), n=1000) for w in (0.9, -0.9)
)
CURRENTS = _EXCITED + _INHIBITED
"""4 mV, and symmetric, so that only the fourth cumulant differs from that of OU noise, by 0.4 % of the squared variance."""
THRESHOLDS = ThresholdNoise(1.4 * mV)
EXPONENTIAL = EscapeNoise(hazard=escape.ExponentialHazard(100 * Hz, 2 * mV))


FAMILIES: dict[type[Neuron], tuple[float, tuple[Any, ...]]] = {  # drive in mV, families
    LIF: (18, (escape.Gaussian(3 * mV), escape.Logistic(1.5 * mV), escape.Uniform(10 * mV), escape.Triangular(9 * mV),
               escape.Cauchy(0.1 * mV), escape.FastSigmoid(12 / mV))),
    PIF: (3, (escape.Gaussian(3.5 * mV), escape.Logistic(1.6 * mV), escape.Uniform(10 * mV), escape.Triangular(10 * mV),
              escape.Cauchy(0.1 * mV), escape.FastSigmoid(5 / mV))),
}  # fmt: skip
HAZARDS: dict[type[Neuron], tuple[tuple[float, Any], ...]] = {  # drive in mV, hazard
    LIF: ((27, escape.ExponentialHazard(100 * Hz, 2 * mV)), (27, escape.GaussianHazard(100 * Hz, 4 * mV)),
          (20, escape.PlesserGerstner(3 * mV, tau_m=20 * ms))),
    PIF: ((6, escape.ExponentialHazard(200 * Hz, 2 * mV)), (6, escape.GaussianHazard(200 * Hz, 5 * mV)),
          (6, escape.PlesserGerstner(3 * mV, tau_m=10 * ms))),
}  # fmt: skip


def escape_modes(neuron: Any, like: type[Neuron]) -> Iterator[Case]:
    """Escape noise: a case for each family (per step) and each hazard, with the parameters of `like`."""
    drive, families = FAMILIES[like]
    for family in families:
        noise = EscapeNoise(family)
        yield case(neuron, noise, drive, expected.stepwise, _mode(family), dts=(0.1,), per_step=True)
    for drive, hazard in HAZARDS[like]:
        noise = EscapeNoise(hazard=hazard)
        yield case(neuron, noise, drive, expected.path_hazard, _mode(hazard), dts=(0.1, 0.2))


def perfect_poisson(_: Any) -> Iterator[Case]:
    """PIF with jumps of one size up and down: a walk on a lattice."""
    noise = PoissonNoise(1000 * Hz, 0.8 * mV, rate_inh=250 * Hz, weight_inh=-0.8 * mV)
    one = case(PIF_NEURON, noise, 0, expected.perfect_shot_noise, "excitation and inhibition")
    yield dataclasses.replace(one, stimulus=None)


def perfect_input(_: Any) -> Iterator[Case]:
    """PIF without a refractory time in spikes through synapses, of 8 mV mean current: the rate is that of a constant one."""
    neuron = dataclasses.replace(PIF_NEURON, tau_refrac=0 * ms)
    for synapse, weight in ((ExponentialSynapse(5 * ms), 8.0), (AlphaSynapse(2 * ms), 20 * np.exp(-1))):
        noise = PoissonInput(4 * Hz, weight * mV, synapse=synapse, n=50)
        one = case(neuron, noise, 0, expected.perfect_input, type(synapse).__name__, dts=(0.1, 0.4))
        yield dataclasses.replace(one, stimulus=None)


def _slow(
    mode: str,
    noise: Noise,
    rate_at: Callable[[float, float, float], float],
    push: float,
    sizes: tuple[float, float],
    make: Any,
) -> Case:
    """A case with adaptation of 2 s, which follows the mean rate: r = rate_at(w, lift), w = b tau r, lift = b_thresh tau r.

    `sizes` are the stationary w and lift (V), from which b and b_thresh follow. The rate falls with both, so there is one solution.
    A drive stronger by `push` (V) first brings them there.
    """
    w, lift = sizes
    rate = rate_at(0.0, w, lift)
    b, b_thresh = w / (_SLOW * rate), lift / (_SLOW * rate)
    first = expected.warm_up(lambda x: rate_at(push, x * w, x * lift), rate, _SLOW)
    first = 4e-4 * round(first / 4e-4)
    note = "slow adaptation, self-consistent mean: its fluctuations change the rate by less than .2 %"
    neuron = make(1e3 * b * mV, 1e3 * b_thresh * mV)
    stimulus = Step(1e3 * push * mV, 0 * ms, 1e3 * first * ms)
    burn_in = round(first + 0.5, 1)
    return Case(
        neuron, noise, mode, lambda dt: {"rate": rate}, stimulus, note, dts=(0.1, 0.2), burn_in=burn_in
    )


def adex_white(_: Any) -> Iterator[Case]:
    """AdEx: the limit of the EIF, and slow adaptation."""
    noise = WhiteNoise(3 * mV)
    yield case(NEURON[AdEx], noise, 8, expected.fokker_planck, "a = b = 0, the EIF", dts=(0.05, 0.2))

    def rate_at(push: float, w: float, lift: float) -> float:
        return expected.fokker_planck(EIF_NEURON, noise, 10e-3 + push - w, cells=500, cv=False)["rate"]

    def driven(b: Any, _: Any) -> AdEx:
        return dataclasses.replace(_adex(b), v_rest=-55 * mV)

    slow = _slow("slow adaptation", noise, rate_at, 40e-3, (2e-3, 0.0), driven)
    yield dataclasses.replace(slow, dts=(0.05, 0.2))


def gif_white(_: Any) -> Iterator[Case]:
    """GIF in white noise: the limit of the LIF, and slow adaptation."""
    law = expected.leaky_white
    yield case(NEURON[GIF], WHITE, 27, law, "b = b_thresh = 0, the LIF", dts=(0.1,))

    def rate_at(push: float, w: float, lift: float) -> float:
        return law(LIF_NEURON, WHITE, 0.03 + push - w, cv=False, v_thresh=0.02 + lift)["rate"]

    yield _slow("slow adaptation", WHITE, rate_at, 80e-3, (1.5e-3, 1e-3), _driven_gif)


def gif_escape(_: Any) -> Iterator[Case]:
    """GIF in escape noise: limits of the LIF, and slow adaptation with the hazard of its publication."""
    for one in escape_modes(NEURON[GIF], LIF):
        if one.mode in ("Gaussian", "Exponential"):
            yield dataclasses.replace(one, mode=f"{one.mode}, b = b_thresh = 0, the LIF", dts=(0.1,))

    def rate_at(push: float, w: float, lift: float) -> float:
        return expected.path_hazard(LIF_NEURON, EXPONENTIAL, 0.03 + push - w, lift, cv=False)["rate"]

    yield _slow("Exponential, slow adaptation", EXPONENTIAL, rate_at, 80e-3, (1.5e-3, 1e-3), _driven_gif)


NSNN_FAMILIES = (
    escape.Gaussian(0.4), escape.Logistic(0.25), escape.Uniform(0.9), escape.Triangular(1.2), escape.Cauchy(0.2),
    escape.FastSigmoid(8.0),
)  # fmt: skip
NSNN_HAZARDS = (
    escape.ExponentialHazard(400 * Hz, 0.3), escape.GaussianHazard(400 * Hz, 0.4), escape.PlesserGerstner(0.3, tau_m=20 * ms)
)  # fmt: skip


def nsnn_escape(neuron: Any) -> Iterator[Case]:
    """The NSNN neuron in each family and hazard; subtractive reset in uniform noise, where the rate is exact."""
    step: dict[str, Any] = {"stimulus": Constant(0.5), "dts": (1.0,)}
    u = 0.5 * (1 - 0.5 ** np.arange(1, 2001)) / 0.5 - 1.0  # u - theta, current .5, beta .5

    def law(model: Any, dt: float) -> dict[str, float]:
        p = model.cdf(u) if isinstance(model, escape.Family) else -np.expm1(-dt * model.hazard(u))
        return expected.conditional(p, dt)

    for model in (*NSNN_FAMILIES, *NSNN_HAZARDS):
        noise = EscapeNoise(model) if isinstance(model, escape.Family) else EscapeNoise(hazard=model)
        yield Case(neuron, noise, _mode(model), functools.partial(law, model), **step)

    def uniform(dt: float) -> dict[str, float]:
        return expected.subtractive_uniform(0.5, 1.0, 0.5, 1.0, dt)

    wide, subtract = EscapeNoise(escape.Uniform(1.0)), NSNNNeuron(reset="subtract")
    yield Case(subtract, wide, "Uniform, subtractive reset", uniform, **step)


def nsnn_double(neuron: Any) -> Iterator[Case]:
    """The NSNN neuron with the double noise of the published code."""
    pmf = functools.partial(theory.double_noise_interval, 0.5, 0.4, beta=0.5, theta=1.0, kmax=200)

    def law(dt: float) -> dict[str, float]:
        k, p = np.arange(1, 201), pmf()
        mean = p @ k
        return {"rate": float(1 / (mean * dt)), "cv": float(np.sqrt(p @ (k - mean) ** 2) / mean)}

    yield Case(neuron, DoubleNoise(0.4), "", law, Constant(0.5), dts=(1.0,))


def poisson_source(neuron: Any) -> Iterator[Case]:
    """Binomial spikes: geometric intervals."""

    def law(dt: float) -> dict[str, float]:
        p = -np.expm1(-neuron.si("rate") * dt)
        return {"rate": float(p / dt), "cv": float(np.sqrt(1 - p))}  # geometric intervals

    yield Case(neuron, None, "", law, dts=(1.0,))
