"""Recordings for the fits: spikes and stimulus on one time grid, split into training and test part."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import neo
import numpy as np
import quantities as pq
from scipy.signal import fftconvolve

import nsnn_neuro as nsnn
from nsnn_neuro.likelihood import Basis, Lags, NeuronModel, RaisedCosines

from ..shared import recordings as shared_recordings
from ..shared.simulations import recorded, simulated

PUNITS = (
    "2010-11-08-al", "2012-06-27-an", "2012-07-03-ak", "2012-07-12-ag",
    "2012-07-12-ap", "2012-12-13-af", "2012-12-13-an", "2012-12-20-ac",
)  # fmt: skip
"""P-units of the weakly electric fish; for the first one the field is known"""
RELAY = "simulated relay neuron"
"""kind of the case with input spikes, which no claim about recordings includes"""


@dataclasses.dataclass(frozen=True)
class Nothing(Basis):
    """Basis without functions, for models without stimulus."""

    def matrix(self, dt: float, first: int) -> np.ndarray:
        """(1, 0)"""
        return np.empty((1, 0))


@dataclasses.dataclass(frozen=True, eq=False)
class Recording:
    """Spikes and stimulus of one cell, and the ends of training and test part. Times in s."""

    kind: str
    name: str
    trains: list[np.ndarray]
    """repeats of one stimulus, or a single trial"""
    signals: list[neo.AnalogSignal]
    """stimulus of each repeat, sampled at dt"""
    dt: float
    borders: tuple[float, float]
    bases: tuple[dict[str, Basis], ...]
    """candidate bases of stimulus and history"""
    precision: float
    """coincidence window"""
    f_max: float | None = None
    """upper frequency of the coherence, Hz; None: no coherence for this stimulus"""
    segment: float = 0.256
    """segment length of the spectra"""

    @property
    def stimulated(self) -> bool:
        """Whether the stimulus is known."""
        return not isinstance(self.bases[0]["stimulus"], Nothing)

    def data(self, bases: dict[str, Any], t_start: float, t_stop: float) -> Any:
        """Spikes o, filtered stimulus `drive` and `history`: one row per step, repeats concatenated."""
        channels = self.signals[0].shape[1]
        model = NeuronModel(dt=self.dt * pq.s, family=nsnn.Gaussian(1.0), channels=channels, **bases)
        return model.data(self.trains, self.signals, t_start=t_start * pq.s, t_stop=t_stop * pq.s)

    def signal(self, t_start: float, t_stop: float) -> neo.AnalogSignal:
        """The first repeat's stimulus from t_start to t_stop."""
        first, last = round(t_start / self.dt), round(t_stop / self.dt)
        return analog(self.signals[0].magnitude[first:last], self.dt, first * self.dt)


def analog(values: np.ndarray, dt: float, start: float = 0.0) -> neo.AnalogSignal:
    """Samples dt apart (s), without a unit."""
    return neo.AnalogSignal(
        values, units=pq.dimensionless, sampling_period=dt * pq.s, t_start=start * pq.s
    )  # fmt: skip


def _split(seconds: float, block: float) -> tuple[float, float]:
    """Ends of the training part (65 %) and of the test part, at borders of blocks."""
    a, b = (int(share * seconds / block + 1e-9) * block for share in (0.65, 1.0))
    return a, b


def _shifted(signals: list[np.ndarray], config: Any) -> list[np.ndarray]:
    shift = config.sabotage == "stimulus shifted"
    return [np.roll(s, len(s) // 2, axis=0) for s in signals] if shift else signals


def _standard(signals: list[np.ndarray], dt: float, until: float, config: Any) -> list[neo.AnalogSignal]:
    """Signals standardised with mean and SD of the training part."""
    n, signals = round(until / dt), _shifted(signals, config)
    train = np.concatenate([s[:n] for s in signals])
    return [analog((s - train.mean()) / train.std(), dt) for s in signals]


def _bases(stimulus: Iterable[RaisedCosines], history: RaisedCosines) -> tuple[dict[str, Basis], ...]:
    return tuple({"stimulus": one, "history": history} for one in stimulus)


def _bases_of_current(config: Any, dt: float) -> tuple[dict[str, Basis], ...]:
    stimulus = (RaisedCosines(n, stop * pq.ms, offset=3 * pq.ms) for n, stop in config.current)
    return _bases(stimulus, RaisedCosines(config.functions, 60 * pq.ms, start=dt * pq.s, offset=4 * pq.ms))


def _grasshopper(which: int, config: Any) -> Recording:
    """Grasshopper receptor with bins of .2 ms, because its filter is sharper than .5 ms."""
    block = nsnn.datasets.grasshopper(which)
    level = nsnn.datasets.envelope_db(block, samples=4).magnitude[:, 0]
    dt, seconds = 0.2e-3, min(config.seconds, 10.0)
    borders = _split(seconds, config.block)
    level = level[: round(borders[1] / dt)]
    times = np.asarray(block.segments[0].spiketrains.multiplexed[1].rescale("s").magnitude)
    return Recording(
        "grasshopper", f"grasshopper {which}", [times[times < borders[1]]],
        _standard([level], dt, borders[0], config), dt, borders,
        _bases(
            [RaisedCosines(n, stop * pq.ms) for n, stop in config.sound],
            RaisedCosines(config.functions, 20 * pq.ms, start=dt * pq.s),
        ),
        2e-3, float(block.annotations["cutoff_hz"]), 0.128,
    )  # fmt: skip


def _cortical(setting: str, config: Any) -> Recording | None:
    sweeps = shared_recordings.cortical(setting)
    if sweeps is None:
        return None
    dt, each = 1e-3, round(1e-3 / sweeps[0].dt)
    borders = _split(sweeps[0].seconds, config.block)
    n = round(borders[1] / dt) * each
    currents = [s.current[:n].reshape(-1, each).mean(axis=1) for s in sweeps]
    return Recording(
        "cortical", f"cortical {setting}", [s.spikes[s.spikes < borders[1]] for s in sweeps],
        _standard(currents, dt, borders[0], config), dt, borders, _bases_of_current(config, dt), 2e-3, 100.0,
    )  # fmt: skip


def _punit(cell: str, config: Any) -> Recording | None:
    """Baseline spikes of a P-unit; if the field is known, cosine and sine of its phase are the stimulus."""
    place = shared_recordings.folder("punit_noisy_lif")
    if place is None:
        return None
    files = {what: place / f"{cell}-invivo-1_baseline_{what}.npy" for what in ("spikes", "eods")}
    try:
        times = np.load(files["spikes"], allow_pickle=False)
        eods = np.load(files["eods"], allow_pickle=False) if files["eods"].is_file() else None
        for values in (times,) if eods is None else (times, eods):
            if (
                values.ndim != 1
                or values.dtype.kind != "f"
                or len(values) < 2
                or not (np.diff(values) > 0).all()
            ):
                raise ValueError("expected rising times")
    except (OSError, ValueError) as error:
        raise nsnn.FormatError(f"{place}: cell {cell!r} can't be read: {error}") from None
    dt = 0.5e-3
    borders = _split(min(config.seconds, float(times[-1])), config.block)
    t = (np.arange(round(borders[1] / dt)) + 0.5) * dt
    values = np.zeros((len(t), 1))
    if eods is not None:
        phase = 2 * np.pi * np.interp(t, eods, np.arange(len(eods)))
        values = np.column_stack([np.cos(phase), np.sin(phase)])
    (values,) = _shifted([values], config)
    return Recording(
        "P-unit", f"P-unit {cell[2:]}", [times[(times >= 0) & (times < borders[1])]], [analog(values, dt)], dt, borders,
        tuple(
            {
                "stimulus": Nothing() if eods is None else Lags(1),
                "history": RaisedCosines(n, stop * pq.ms, start=dt * pq.s, offset=4 * pq.ms),
            }
            for n, stop in config.past
        ),
        1e-3,
    )  # fmt: skip


def _relay(seed: int, config: Any) -> Recording:
    """A neuron like those of the lateral geniculate nucleus, whose stimulus is the spike train of one input.

    None of the fitted models is true: the neuron is an `AdEx` in coloured noise, with a synaptic current that rises and decays.
    Input spikes have gamma intervals of order 2 after 3 ms of silence, 40 Hz.
    """
    dt, fine, seconds = 1e-3, 1e-4, config.seconds
    borders = _split(seconds, config.block)
    rng = np.random.default_rng([seed, config.seed])
    times = np.cumsum(3e-3 + rng.gamma(2.0, 11e-3, size=round(60 * seconds)))
    counts = np.bincount((times[times < borders[1]] / fine).astype(int), minlength=round(borders[1] / fine))
    lags = np.arange(0.0, 40e-3, fine)
    current = np.exp(-lags / 5e-3) - np.exp(-lags / 0.5e-3)
    drive = 4.0 + 36.0 * fftconvolve(counts, current)[: len(counts)]
    cell = nsnn.AdEx(
        tau_m=8 * pq.ms, v_rest=0 * pq.mV, v_reset=0 * pq.mV, v_thresh=12 * pq.mV, v_spike=25 * pq.mV, delta_T=1.5 * pq.mV,
        tau_refrac=2 * pq.ms, tau_w=80 * pq.ms, a=0.2, b=1 * pq.mV,
    )  # fmt: skip
    noise, stimulus = nsnn.OUNoise(2 * pq.mV, 5 * pq.ms), recorded(drive, fine)
    block = simulated(cell, noise, stimulus, seconds=borders[1], dt=fine, seed=config.seed)
    spikes = np.asarray(block.segments[0].spiketrains[0].rescale("s").magnitude)
    per_bin = counts.reshape(-1, round(dt / fine)).sum(axis=1).astype(float)
    return Recording(
        RELAY, f"relay neuron {seed}", [spikes], _standard([per_bin], dt, borders[0], config), dt, borders,
        _bases_of_current(config, dt), 2e-3,
    )  # fmt: skip


def recordings(config: Any) -> Iterator[Recording]:
    """The configured recordings that are available, and the simulated relay neurons."""
    makers: list[tuple[Callable[[Any, Any], Recording | None], tuple[Any, ...]]] = [
        (_grasshopper, config.grasshoppers),
        (_cortical, config.settings),
        (_punit, config.punits),
        (_relay, config.relays),
    ]
    for make, names in makers:
        for name in names:
            recording = make(name, config)
            if recording is not None:
                yield recording
