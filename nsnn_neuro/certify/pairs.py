"""What is certified: every public neuron with every public noise model.

`CASES` lists the pairs with theory; `ranges.py` has further cases at the ends of ranges. All other pairs have "no theory", for a
reason given here, or are refused by the package's own check. A new neuron or noise model needs an entry here; a test looks for it.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable
from typing import Any

from ..core.errors import NsnnError
from ..models import escape, neurons, noise
from ..models.compatibility import check_compatible
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
    ConductanceNoise,
    MultiplicativeNoise,
    Noise,
    OUNoise,
    PoissonInput,
    PoissonNoise,
    ThresholdNoise,
    WhiteNoise,
)
from . import cases, expected, ranges, short_term
from .cases import CURRENTS, JUMPS, NEURON, THRESHOLDS, WHITE, Case, Hz, case, ms, mV
from .expected import fokker_planck


@dataclasses.dataclass(frozen=True)
class Pair:
    """A neuron (or a synapse) and a noise model by name, and their cases, or why there are none: `refused`, or the `reason` for no
    theory."""

    model: str
    noise: str
    cases: tuple[Case, ...] = ()
    refused: str = ""
    reason: str = ""


CONDUCTANCE = ConductanceNoise(
    g_e=0.3, sigma_e=0.1, tau_e=3 * ms, e_rev_e=60 * mV, g_i=0.2, sigma_i=0.1, tau_i=10 * ms, e_rev_i=-10 * mV
)
# a noise model of each class, to find out which neurons accept it
EXAMPLE: dict[type[Noise], Noise] = {
    WhiteNoise: WHITE, OUNoise: OUNoise(3 * mV, 5 * ms), MultiplicativeNoise: MultiplicativeNoise(0.2, -90 * mV, calculus="ito"),
    ConductanceNoise: CONDUCTANCE, ThresholdNoise: ThresholdNoise(1 * mV), PoissonNoise: PoissonNoise(1000 * Hz, 0.5 * mV),
    PoissonInput: CURRENTS, EscapeNoise: EscapeNoise(escape.Gaussian(2 * mV)), DoubleNoise: DoubleNoise(0.4),
}  # fmt: skip

THREE = "first passage in three dimensions (voltage and two conductances): no formula and no solver here"
SHOT = "a Fokker-Planck equation with jumps, solved here only for the linear drift of the LIF and for the PIF"
GATED = "four-dimensional with a voltage-dependent drift; the tests compare its noiseless f-I curve with an ODE solver"
# why a pair that runs has no theory, by neuron and noise model; None: all noise models
NO_THEORY: dict[tuple[type[Neuron], type[Noise] | None], str] = {
    **{(n, ConductanceNoise): THREE for n in (LIF, PIF, EIF, QIF, AdEx, GIF)},
    **{(n, noise): SHOT for n in (EIF, QIF, AdEx) for noise in (PoissonNoise, PoissonInput)},
    (WangBuzsaki, None): GATED,
    (Relay, None): "its spikes are those of its stimulus",
}


_ADEX = {"mode": "a = b = 0, the EIF", "dts": (0.05,)}
_GIF = {"mode": "b = b_thresh = 0, the LIF", "dts": (0.1,)}
_LATE = "dt of .05 ms: the spike of an upstroke faster than a step is up to half a step late"
_EIF_DTS = {"dts": (0.05, 0.1, 0.2), "reason": _LATE}
_OU = OUNoise(3 * mV, 5 * ms)
_CURRENTS = "exponential currents"


def _one(noise: Noise, drive: float, law: Any, **more: Any) -> Callable[[Any], Iterable[Case]]:
    return lambda neuron: [case(neuron, noise, drive, law, **more)]


CASES: dict[tuple[type[Neuron], type[Noise] | None], Callable[[Any], Iterable[Case]]] = {
    (LIF, WhiteNoise): cases.leaky_white,
    (LIF, OUNoise): _one(OUNoise(4 * mV, 5 * ms), 27, fokker_planck),
    (LIF, MultiplicativeNoise): lambda n: cases.multiplicative(n, 27, 0.25, 0),
    (LIF, PoissonNoise): _one(JUMPS, 13, expected.leaky_shot_noise, mode="excitation and inhibition"),
    (LIF, PoissonInput): _one(CURRENTS, 27, expected.balanced_input, mode=_CURRENTS),
    (LIF, ThresholdNoise): _one(THRESHOLDS, 30, expected.leaky_threshold),  # a drive above all thresholds
    (LIF, EscapeNoise): lambda n: cases.escape_modes(n, LIF),
    (PIF, WhiteNoise): _one(WhiteNoise(3 * mV), 8, expected.perfect_white),
    (PIF, OUNoise): _one(_OU, 8, fokker_planck),
    (PIF, MultiplicativeNoise): lambda n: cases.multiplicative(n, 8, 0.2, -10),
    (PIF, ThresholdNoise): _one(ThresholdNoise(2 * mV), 6, expected.perfect_threshold),
    (PIF, PoissonNoise): cases.perfect_poisson,
    (PIF, PoissonInput): cases.perfect_input,
    (PIF, EscapeNoise): lambda n: cases.escape_modes(n, PIF),
    (EIF, WhiteNoise): _one(WhiteNoise(3 * mV), 8, fokker_planck, **_EIF_DTS),
    (EIF, OUNoise): _one(_OU, 8, fokker_planck, **_EIF_DTS),
    (EIF, MultiplicativeNoise): lambda n: cases.multiplicative(n, 8, 0.08, -100, **_EIF_DTS),
    (QIF, WhiteNoise): _one(WhiteNoise(5 * mV), 20, fokker_planck),
    (QIF, OUNoise): _one(OUNoise(5 * mV, 5 * ms), 20, fokker_planck),
    (QIF, MultiplicativeNoise): lambda n: cases.multiplicative(n, 20, 0.1, -120),
    (AdEx, WhiteNoise): cases.adex_white,
    (AdEx, OUNoise): _one(_OU, 8, fokker_planck, **_ADEX),
    (AdEx, MultiplicativeNoise): lambda n: cases.multiplicative(n, 8, 0.08, -100, calculi=("ito",), **_ADEX),
    (GIF, WhiteNoise): cases.gif_white,
    (GIF, OUNoise): _one(OUNoise(4 * mV, 5 * ms), 27, fokker_planck, **_GIF),
    (GIF, MultiplicativeNoise): lambda n: cases.multiplicative(n, 27, 0.25, 0, calculi=("ito",), **_GIF),
    (GIF, PoissonNoise): _one(JUMPS, 13, expected.leaky_shot_noise, **_GIF),
    (GIF, PoissonInput): _one(
        CURRENTS, 27, expected.balanced_input, mode=f"{_CURRENTS}, {_GIF['mode']}", dts=(0.1,)
    ),
    (GIF, ThresholdNoise): _one(THRESHOLDS, 30, expected.leaky_threshold, **_GIF),
    (GIF, EscapeNoise): cases.gif_escape,
    (NSNNNeuron, EscapeNoise): cases.nsnn_escape,
    (NSNNNeuron, DoubleNoise): cases.nsnn_double,
    (PoissonSource, None): cases.poisson_source,
}


_MISSING = "its case is not written yet: nsnn_neuro/certify/pairs.py"


def _public(modules: tuple[Any, ...], base: type, without: tuple[str, ...]) -> list[type]:
    named = [getattr(m, name) for m in modules for name in m.__all__ if name not in without]
    return [kind for kind in named if isinstance(kind, type) and issubclass(kind, base) and kind is not base]


def _ordered(kinds: list[type], known: Any) -> list[type]:
    return [kind for kind in known if kind in kinds] + [kind for kind in kinds if kind not in known]


NEURONS = _ordered(_public((neurons,), Neuron, ("IntegrateAndFire", "ConductanceBased")), NEURON)
NOISES = _ordered(_public((noise, escape), Noise, ()), EXAMPLE)


def refusal(neuron: Neuron, noise: Noise | None) -> str:
    """The message with which the package refuses this pair; empty if it accepts it."""
    try:
        check_compatible(neuron, noise, None)
    except NsnnError as error:
        return str(error)
    return ""


@functools.cache
def pairs() -> tuple[Pair, ...]:
    """Every public neuron with every public noise model; spike sources also without noise; and short-term plasticity."""
    alone: dict[type[Neuron], list[type[Noise] | None]] = {Relay: [None], PoissonSource: [None]}
    neurons = [_pair(kind, noise_kind) for kind in NEURONS for noise_kind in alone.get(kind, []) + NOISES]
    return *neurons, Pair("TsodyksMarkram", "none", tuple(short_term.every_case()))


def _pair(kind: type[Neuron], noise_kind: type[Noise] | None) -> Pair:
    names = kind.__name__, "none" if noise_kind is None else noise_kind.__name__
    if kind not in NEURON or (noise_kind is not None and noise_kind not in EXAMPLE):
        return Pair(*names, reason=_MISSING)
    example = None if noise_kind is None else EXAMPLE[noise_kind]
    if kind is NSNNNeuron and noise_kind is EscapeNoise:
        example = EscapeNoise(escape.Gaussian(0.4))
    if refused := refusal(NEURON[kind], example):
        return Pair(*names, refused=refused)
    if make := CASES.get((kind, noise_kind)):
        return Pair(*names, cases=(*make(NEURON[kind]), *ranges.further(kind, noise_kind)))
    reason = NO_THEORY.get((kind, noise_kind)) or NO_THEORY.get((kind, None))
    return Pair(*names, reason=reason or _MISSING)
