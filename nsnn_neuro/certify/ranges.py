"""Further cases of the certificate, at the ends of the ranges of correlation times, multiplicative noise and rates.

OU noise with correlation times of .1 to 100 ms, multiplicative noise with sigma .3 to .7, rates of .2 to 100 Hz. Each case checks
the rate at one dt. `certify(ranges=True)` runs them; at .2 Hz, 1e5 spikes take half a million seconds of a neuron.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from ..models.escape import EscapeNoise
from ..models.neurons import EIF, GIF, LIF, PIF, QIF, AdEx, Neuron
from ..models.noise import MultiplicativeNoise, Noise, OUNoise, PoissonNoise, ThresholdNoise, WhiteNoise
from . import expected
from .cases import EXPONENTIAL, JUMPS, NEURON, THRESHOLDS, WHITE, Case, case, ms, mV

Law = Callable[..., dict[str, float]]  # of neuron, noise and drive in V


def _white(sigma: float) -> WhiteNoise:
    return WhiteNoise(sigma * mV)


def _ou(sigma: float, tau_noise: float) -> OUNoise:
    return OUNoise(sigma * mV, tau_noise * ms)


def _multiplicative(sigma: float, v_zero: float, calculus: str = "ito") -> MultiplicativeNoise:
    return MultiplicativeNoise(sigma, v_zero * mV, calculus=calculus)  # type: ignore[arg-type]


_any_drift = expected.fokker_planck
_LATE = "dt of .02 ms: at .05 ms the rate is .2 % low, since the spike of an upstroke faster than a step is up to half a step late"

# neuron and noise -> law, dt (ms), and the cases: mode, noise, drive (mV), another dt
RANGES: dict[tuple[type[Neuron], type[Noise]], tuple[Law, float, tuple[tuple[Any, ...], ...]]] = {
    (LIF, WhiteNoise): (expected.leaky_white, 0.1, ((".2 Hz", WHITE, 8), ("2 Hz", WHITE, 11.3), ("100 Hz", WHITE, 39.8))),
    (PIF, WhiteNoise): (expected.perfect_white, 0.1, (("2 Hz", _white(0.6), 0.2), ("100 Hz", _white(3), 12.5))),
    (EIF, WhiteNoise): (_any_drift, 0.05, (("2 Hz", _white(3), -1.6), ("100 Hz", _white(3), 21.2, 0.02))),
    (QIF, WhiteNoise): (_any_drift, 0.1, ((".2 Hz", _white(5), -7.0), ("2 Hz", _white(5), -3.3),
                                      ("100 Hz", _white(5), 50.9))),
    (LIF, OUNoise): (_any_drift, 0.1, (
        ("tau_noise .1 ms", _ou(3.5, 0.1), 20), ("tau_noise .1 ms, 2 Hz", _ou(3.5, 0.1), 12),
        ("tau_noise .3 ms", _ou(3.5, 0.3), 20), ("tau_noise 1 ms, .2 Hz", _ou(3.5, 1), 9.1),
        ("tau_noise 1 ms, 100 Hz", _ou(3.5, 1), 41), ("tau_noise 20 ms", _ou(3, 20), 25),
        ("tau_noise 100 ms", _ou(3, 100), 30))),
    (PIF, OUNoise): (_any_drift, 0.1, (("tau_noise .1 ms", _ou(3, 0.1), 8), ("tau_noise 1 ms", _ou(3, 1), 8),
                                       ("tau_noise 100 ms", _ou(1.5, 100), 8))),
    (EIF, OUNoise): (_any_drift, 0.05, (("tau_noise .1 ms", _ou(3, 0.1), 8), ("tau_noise 1 ms", _ou(3, 1), 8),
                                        ("tau_noise 100 ms", _ou(2, 100), 12))),
    (QIF, OUNoise): (_any_drift, 0.1, (("tau_noise .1 ms", _ou(5, 0.1), 20), ("tau_noise 1 ms", _ou(5, 1), 20),
                                       ("tau_noise 100 ms", _ou(4, 100), 25))),
    (AdEx, OUNoise): (_any_drift, 0.05, (("tau_noise .1 ms, a = b = 0, the EIF", _ou(3, 0.1), 8),)),
    (GIF, OUNoise): (_any_drift, 0.1, (("tau_noise .1 ms, b = b_thresh = 0, the LIF", _ou(3.5, 0.1), 20),)),
    (LIF, MultiplicativeNoise): (expected.leaky_multiplicative, 0.1, (
        ("Ito, sigma .3, .2 Hz", _multiplicative(0.3, 0), 7), ("Ito, sigma .3", _multiplicative(0.3, 0), 20),
        ("Ito, sigma .3, 100 Hz", _multiplicative(0.3, 0), 39.5), ("Ito, sigma .5", _multiplicative(0.5, 0), 20),
        ("Ito, sigma .7", _multiplicative(0.7, 0), 20),
        ("Stratonovich, sigma .7", _multiplicative(0.7, 0, "stratonovich"), 20))),
    (PIF, MultiplicativeNoise): (_any_drift, 0.1, (("Ito, sigma .3", _multiplicative(0.3, -10), 8),
                                                   ("Ito, sigma .7", _multiplicative(0.7, -10), 8))),
    (EIF, MultiplicativeNoise): (_any_drift, 0.05, (("Ito, sigma .3", _multiplicative(0.3, -100), 5),
                                                    ("Ito, sigma .7", _multiplicative(0.7, -75), 5))),
    (QIF, MultiplicativeNoise): (_any_drift, 0.1, (("Ito, sigma .3", _multiplicative(0.3, -120), 10),
                                                   ("Ito, sigma .7", _multiplicative(0.7, -90), 10))),
    (AdEx, MultiplicativeNoise): (_any_drift, 0.05, (("Ito, sigma .7, a = b = 0, the EIF", _multiplicative(0.7, -75), 5),)),
    (GIF, MultiplicativeNoise): (expected.leaky_multiplicative, 0.1, (
        ("Ito, sigma .7, b = b_thresh = 0, the LIF", _multiplicative(0.7, 0), 20),)),
    (LIF, PoissonNoise): (expected.leaky_shot_noise, 0.1, (("2 Hz", JUMPS, -0.3), ("100 Hz", JUMPS, 26.6))),
    (LIF, ThresholdNoise): (expected.leaky_threshold, 0.1, (("100 Hz", THRESHOLDS, 40.5),)),
    (LIF, EscapeNoise): (expected.path_hazard, 0.1, (("Exponential, 2 Hz", EXPONENTIAL, 12.2),
                                        ("Exponential, 100 Hz", EXPONENTIAL, 49))),
}  # fmt: skip


def further(kind: type[Neuron], noise_kind: type[Noise] | None) -> Iterator[Case]:
    """The further cases of a neuron with a noise model."""
    if noise_kind is None or (kind, noise_kind) not in RANGES:
        return
    law, dt, cases = RANGES[kind, noise_kind]

    rate = functools.partial(law, cv=False)
    for mode, noise, drive, *other in cases:
        more = {"reason": _LATE if other else "", "burn_in": 4.0 if kind is PIF and "2 Hz" in mode else 0.3}
        yield case(NEURON[kind], noise, drive, rate, mode, dts=(*other, dt)[:1], end_of_range=True, **more)
