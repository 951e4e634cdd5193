"""The runs of the study of rate and timing: a noisy LIF shown fast and slow stimuli, and the windows of a cortical recording."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import neo
import numpy as np
import quantities as pq
from brian2 import mV, second

import nsnn_neuro as nsnn
from nsnn_neuro import measures

from ..harness import smaller
from ..shared import recordings

__all__ = ["Config", "cortex", "lif"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that decides a run. Times in s, voltages in mV, costs of time in 1/s."""

    seed: int = 1
    quick: bool = False
    sabotage: str = ""
    seeds: int = 24
    """each with stimuli and noise of its own"""
    together: int = 1
    """seeds that are simulated in one run"""
    apart: int = 8
    """seeds whose distances are taken"""
    stimuli: int = 8
    taus: tuple[float, ...] = (2e-3, 8e-3, 32e-3)
    """correlation times of the stimuli"""
    sigmas: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
    mean: float = 28.0
    """of the stimuli; threshold 20 mV above rest and reset"""
    amplitude: float = 4.0
    """standard deviation that a stimulus gives the free membrane, whatever its correlation time"""
    before: float = 10.0
    """drive of the 20 ms before the stimulus"""
    lead: float = 20e-3
    window: float = 24e-3
    tau_m: float = 10e-3
    tau_refrac: float = 4e-3
    dt: float = 0.2e-3
    trials: int = 800
    """of each stimulus"""
    resolutions: tuple[float, ...] = (3e-3, 4e-3, 6e-3, 8e-3, 12e-3)
    costs: tuple[float, ...] = (0.0, 25.0, 50.0, 100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0, 6400.0, 12800.0)
    trains: int = 40
    """of each stimulus, whose distances are taken"""
    shuffles: int = 20
    piece: float = 0.15
    """windows of the recording"""
    pieces: int = 8
    """windows that are told apart at a time"""

    def __post_init__(self) -> None:
        smaller(
            self,
            seeds=16,
            together=8,
            apart=5,
            stimuli=6,
            taus=(2e-3, 32e-3),
            sigmas=(0.5, 2.0, 8.0, 32.0),
            trials=256,
            resolutions=(4e-3, 8e-3, 12e-3),
            trains=24,
            shuffles=10,
        )


class Cell(NamedTuple):
    """The answers of one neuron to all stimuli: trains in the window, which stimulus each had, and what it was."""

    trains: measures.Trains
    labels: np.ndarray
    seed: int
    tau: float
    sigma: float


def _state(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def stimulus(config: Config, seed: int, tau: float, number: int) -> np.ndarray:
    """The drive of a trial, mV at each step: the lead, then a frozen Ornstein-Uhlenbeck path that shakes the membrane as told."""
    scale = config.amplitude * np.sqrt((tau + config.tau_m) / tau)
    path = nsnn.FrozenNoise(
        config.mean * mV,
        scale * mV,
        tau * second,
        seed=_state(config.seed, seed, round(1e6 * tau), number),
    )
    lead = np.full(round(config.lead / config.dt), config.before)
    return np.concatenate([lead, 1e3 * path.samples(round(config.window / config.dt), config.dt)])


def answers(config: Config, seeds: Sequence[int]) -> Iterator[Cell]:
    """A `Cell` for each seed, correlation time and noise, all simulated in one run."""
    axes = (np.array(seeds), config.taus, config.sigmas, np.arange(config.stimuli))
    seed, tau, sigma, number = (a.ravel() for a in np.meshgrid(*axes, indexing="ij"))
    paths = {
        key: stimulus(config, *key) for key in itertools.product(seeds, config.taus, range(config.stimuli))
    }
    drive = np.array([paths[key] for key in zip(seed, tau, number, strict=True)]).T
    noise = np.full_like(sigma, max(config.sigmas)) if config.sabotage == "most noise everywhere" else sigma
    block = nsnn.simulate(
        nsnn.LIF(
            tau_m=config.tau_m * second,
            v_rest=0 * mV,
            v_reset=0 * mV,
            v_thresh=20 * mV,
            tau_refrac=config.tau_refrac * second,
        ),
        nsnn.WhiteNoise(noise * mV),
        nsnn.Recorded(neo.AnalogSignal(drive, units="mV", sampling_period=config.dt * pq.s)),
        n_neurons=tau.size,
        trials=config.trials,
        duration=(config.lead + config.window) * second,
        dt=config.dt * second,
        seed=_state(config.seed, seeds[0]),
        engine="numpy",
        progress=False,
    )
    spikes = measures.as_trains(block, t_start=config.lead * pq.s)
    rng, n = np.random.default_rng(_state(config.seed, seeds[0], 1)), config.stimuli * config.trials
    of, shown = np.divmod(spikes.neuron, config.stimuli)
    trial = spikes.trial * config.stimuli + shown
    times = np.maximum(spikes.times - config.lead, 0.0)
    if config.sabotage == "times shuffled":
        times = rng.uniform(0, config.window, times.size)
    order = np.lexsort((times, trial, of))
    edges = np.searchsorted(of[order], np.arange(tau.size // config.stimuli + 1))
    labels = np.tile(np.arange(config.stimuli), config.trials)
    for k, (begin, end) in enumerate(itertools.pairwise(edges)):
        own, at = order[begin:end], k * config.stimuli
        trains = measures.Trains(
            times[own], 0 * trial[own], trial[own], 1, n, np.zeros(n), np.full(n, config.window)
        )
        told = rng.permutation(labels) if config.sabotage == "labels shuffled" else labels
        yield Cell(trains, told, int(seed[at]), float(tau[at]), float(sigma[at]))


def first(trains: measures.Trains, n: int) -> measures.Trains:
    """The first n trials."""
    own = trains.trial < n
    return measures.Trains(
        trains.times[own],
        trains.neuron[own],
        trains.trial[own],
        1,
        n,
        trains.t_start[:n],
        trains.t_stop[:n],
    )


def lif(config: Config, seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Rows of some seeds: bits in counts, latencies and words, of the first seeds in distances too."""
    for cell in answers(config, seeds):
        same = {"part": "LIF", "group": cell.seed, "tau": cell.tau, "sigma": cell.sigma}
        codes = measures.rate_vs_temporal(
            cell.trains, cell.labels, resolutions=np.array(config.resolutions) * pq.s, n_shuffle=0
        )
        for row in codes.itertuples():
            yield same | {"code": row.code, "x": row.resolution, "value": row.information, "se": row.se}
        yield same | {"code": "spikes", "x": config.window, "value": float(cell.trains.counts.mean())}
        if cell.seed >= config.apart:
            continue
        n = config.trains * config.stimuli
        space = measures.metric_space_information(
            first(cell.trains, n),
            cell.labels[:n],
            q=np.array(config.costs) / pq.s,
            n_shuffle=config.shuffles,
            seed=config.seed,
        )
        for q, bits, se in zip(space.q, space.corrected, space.se, strict=True):
            yield same | {"code": "distance", "x": float(q), "value": float(bits), "se": float(se)}


def cortex(config: Config, progress: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Rows of the recorded neuron: windows of its four sweeps told apart, some at a time; none where the recordings are absent."""
    rng = np.random.default_rng(_state(config.seed, 2))
    for setting in recordings.CORTICAL:
        sweeps = recordings.cortical(setting)
        if sweeps is None:
            progress("no recordings of cortical neurons: that part is left out")
            return
        current = float(np.mean([sweep.current.std() for sweep in sweeps]))
        same = {"part": "cortex", "setting": setting, "sigma": current}
        seconds = min(sweep.seconds for sweep in sweeps)
        gamma = measures.gamma_coincidence(
            [sweep.spikes for sweep in sweeps], precision=2 * pq.ms, t_start=0 * pq.s, t_stop=seconds * pq.s
        )
        off = gamma[~np.eye(len(gamma), dtype=bool)]
        yield same | {"code": "reliability", "x": 2e-3, "value": float(off.mean())}
        for group in range(int(seconds / config.piece + 1e-9) // config.pieces):
            yield from _told_apart(
                config, sweeps, group * config.pieces * config.piece, same | {"group": group}, rng
            )


def _told_apart(
    config: Config, sweeps: list[Any], begin: float, same: dict[str, Any], rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    trains, labels = [], []
    for sweep in sweeps:
        for k in range(config.pieces):
            times = sweep.spikes - (begin + k * config.piece)
            times = times[(times >= 0) & (times < config.piece)]
            if config.sabotage == "times shuffled":
                times = np.sort(rng.uniform(0, config.piece, times.size))
            trains.append(times)
            labels.append(k)
    shown = rng.permutation(labels) if config.sabotage == "labels shuffled" else np.array(labels)
    space = measures.metric_space_information(
        trains,
        shown,
        q=np.array(config.costs) / pq.s,
        n_shuffle=5 * config.shuffles,
        seed=config.seed,
        t_start=0 * pq.s,
        t_stop=config.piece * pq.s,
    )
    for q, bits in zip(space.q, space.corrected, strict=True):
        yield same | {"code": "distance", "x": float(q), "value": float(bits)}
