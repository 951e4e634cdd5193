"""What the page shows of a state: one simulation for spikes, membrane and f-I curve; theory; the information about a signal.

Neurons with the drives of the f-I curve stand behind those of the state in one population. The noise of a neuron does not depend
on others, so the first ones have the spikes of `simulate`. The number of a neuron decides its noise, so curves move smoothly with a
parameter; and a compiled program is used again with other values.
"""

from __future__ import annotations

import dataclasses
import math
import time
import warnings
from typing import Any

import neo
import numpy as np
import quantities as pq

from ..brian.simulate import simulate
from ..certify import expected
from ..core.errors import NsnnError
from ..measures import Estimate, as_trains, coherence_information, cv, firing_rate, isi
from ..models.escape import EscapeNoise
from ..models.neurons import EIF, LIF, PIF, QIF
from ..models.noise import MultiplicativeNoise, OUNoise, PoissonNoise, ThresholdNoise, WhiteNoise
from ..models.stimuli import Constant, FrozenNoise
from .state import MOST_STEPS, POINTS, State, drive_range, quantity, span

_MOST_SHOWN = 2000  # points of a drawn membrane
_FEW = 20  # intervals per trial, with fewer of which the ends of trials make the CV some percent too small
_SHARE, _TAU, _F_MAX, _SECONDS = 0.2, 50.0, 20.0, 20  # of the signal: sigma / span, ms, Hz, s
SIGNAL = "one neuron; Gaussian signal, SD (v_thresh - v_reset) / 5, correlation time 50 ms"

# theory of a neuron with a noise: the law, the points of its curve, whether it takes too long for each change
_LAWS: dict[tuple[type, type], tuple[Any, int, bool]] = {
    (LIF, WhiteNoise): (expected.leaky_white, 25, False),
    (LIF, ThresholdNoise): (expected.leaky_threshold, 25, False),
    (LIF, MultiplicativeNoise): (expected.leaky_multiplicative, 13, True),
    (LIF, PoissonNoise): (expected.leaky_shot_noise, 13, True),
    (PIF, WhiteNoise): (expected.perfect_white, 25, False),
    (PIF, ThresholdNoise): (expected.perfect_threshold, 25, False),
    **{(kind, EscapeNoise): (expected.path_hazard, 13, False) for kind in (LIF, PIF)},
    **{(kind, WhiteNoise): (expected.fokker_planck, 13, True) for kind in (EIF, QIF)},
    **{(kind, OUNoise): (expected.fokker_planck, 13, True) for kind in (LIF, PIF, EIF, QIF)},
}


@dataclasses.dataclass(frozen=True)
class Simulated:
    """Measured values; times in ms, voltages and drives in the shown unit, rates in Hz with standard errors.

    `spikes` are times and neurons of the first trial, `membrane` times and voltage of its first neuron, `curve` drives, rates and
    their errors.
    """

    rate: float
    rate_se: float
    cv: float
    cv_se: float
    is_cv_small: bool
    spikes: tuple[np.ndarray, np.ndarray]
    membrane: tuple[np.ndarray, np.ndarray]
    intervals: np.ndarray
    curve: tuple[np.ndarray, np.ndarray, np.ndarray]
    engine: str
    seconds: float


def axis(state: State, points: int = POINTS) -> np.ndarray:
    """Drives of the f-I curve in the shown unit; the range grows to hold the drive of the state."""
    ends = [*drive_range(state.neuron), state.drive]
    return np.linspace(min(ends), max(ends), points)


def run(state: State) -> Simulated:
    """Simulate a state and measure it; its neurons have the spikes of `simulate`."""
    began = time.perf_counter()
    n, unit, at = state.n_neurons, state.neuron.membrane_unit, axis(state)
    drives = Constant(quantity(np.r_[np.full(n, state.drive), np.repeat(at, state.cells)], unit))
    size = {"n_neurons": n + state.cells * at.size}
    block = simulate(state.neuron, state.noise, drives, **state.run() | size, record_v=[0], progress=False)
    whole, trains = as_trains(block), as_trains(block, t_start=state.t_start * pq.ms)
    rates = 1e3 * trains.counts / (state.duration - state.t_start)
    groups = rates[:, n:].reshape(state.trials, at.size, state.cells)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # neurons without intervals
        variation = cv(trains)[:n]
    variation = variation[np.isfinite(variation)]
    potential = block.segments[0].analogsignals[0].rescale("mV" if unit == "V" else "")
    volts = np.asarray(potential.magnitude)[:, 0]
    stride = -(-volts.size // _MOST_SHOWN)
    first = (whole.trial == 0) & (whole.neuron < n)
    return Simulated(
        rate=float(firing_rate(trains)[:n].mean()),
        rate_se=_error(rates[:, :n]),
        cv=float(variation.mean()) if variation.size else math.nan,
        cv_se=_error(variation[None]),
        is_cv_small=bool(trains.counts[:, :n].mean() - 1 < _FEW),
        spikes=(1e3 * whole.times[first], whole.neuron[first]),
        membrane=(state.dt * np.arange(volts.size)[::stride], volts[::stride]),
        intervals=1e3 * np.concatenate(isi(trains)[:n]),
        curve=(at, groups.mean(axis=(0, 2)), np.array([_error(groups[:, k]) for k in range(at.size)])),
        engine=str(block.annotations["parameters"]["engine"]),
        seconds=time.perf_counter() - began,
    )


def _error(values: np.ndarray) -> float:
    """Standard error of the mean of (trials, neurons), from trials, whose neurons may share noise; of one trial from neurons."""
    values = values.mean(axis=1) if len(values) > 1 else values[0]
    return float(values.std(ddof=1) / np.sqrt(values.size)) if values.size > 1 else math.nan


def theory(state: State, slow: bool = False) -> tuple[dict[str, float], tuple[np.ndarray, np.ndarray], str]:
    """Rate (Hz) and CV at the drive, the f-I curve as (drives, rates), and why there is none; slow laws only if asked for."""
    neuron, noise, empty = state.neuron, state.noise, (np.array([]), np.array([]))
    law, points, is_slow = _LAWS.get((type(neuron), type(noise)), (None, 0, False))
    if law is None or (isinstance(noise, EscapeNoise) and noise.hazard is None):
        return {}, empty, "none here"
    if is_slow and not slow:
        return {}, empty, 'with "slow results"'
    scale = 1e-3 if neuron.membrane_unit == "V" else 1.0

    def at(drive: float, cv: bool = False) -> dict[str, float]:
        options = {} if law is expected.perfect_threshold else {"cv": cv}
        try:
            silent = isinstance(neuron, PIF) and drive <= 0
            return {} if silent else law(neuron, noise, float(drive * scale), **options)
        except (NsnnError, ArithmeticError):  # such as a neuron that becomes silent forever
            return {}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numbers at the ends of the range
        here, drives = at(state.drive, cv=True), axis(state, points)
        curve = np.array([at(drive).get("rate", math.nan) for drive in drives])
    return here, (drives, curve), "" if here else "none at this drive"


def signal(state: State) -> FrozenNoise:
    """The drive with a slow Gaussian signal added to it."""
    unit, sigma = state.neuron.membrane_unit, float(f"{_SHARE * span(state.neuron):.3g}")
    return FrozenNoise(
        quantity(state.drive, unit), quantity(sigma, unit), quantity(_TAU, "s"), seed=state.seed
    )


def information(state: State) -> Estimate:
    """Lower bound (bit/s) of the information of one neuron about `signal`, from its coherence with the spikes of all trials."""
    seconds = int(min(_SECONDS, MOST_STEPS * state.dt / 1e3 / state.trials))
    added, settings = signal(state), state.run() | {"n_neurons": 1, "duration": quantity(1e3 * seconds, "s")}
    block = simulate(state.neuron, state.noise, added, **settings, progress=False)
    each = max(1, round(1 / state.dt))  # steps in 1 ms
    values = added.samples(round(1e3 * seconds / state.dt), state.dt / 1e3)
    means = values[: values.size // each * each].reshape(-1, each).mean(axis=1)
    period = each * state.dt * pq.ms
    unit = "V" if state.neuron.membrane_unit == "V" else "dimensionless"
    slow = neo.AnalogSignal(means, units=unit, sampling_period=period)
    choice: dict[str, Any] = {"f_max": _F_MAX * pq.Hz, "nperseg": 1024, "noverlap": 512}
    return coherence_information(slow, block, **choice, bias="subtract", n_shuffle=0)
