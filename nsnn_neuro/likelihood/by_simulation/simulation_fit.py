"""`calibrate(..., method="simulation")`: any neuron that `simulate` runs."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ...core.checks import one_of, whole
from ...core.errors import NsnnError
from ...core.progress import progress_bar
from ...core.results import folder_of
from ...core.units import shown
from ...core.warn import warn
from ...models.compatibility import check_compatible
from ...models.neurons import Neuron
from ...models.noise import Noise
from ..calibration.calibrated import count_spikes, estimates, scaled_covariance
from ..calibration.free_parameters import FreeParameters, read_free
from ..calibration.maximise import sort_out
from ..calibration.undetermined import refuse_indistinct, warn_held, warn_similar
from ..continuous.conditional import Parts, check_single, check_start, check_stimulus
from ..continuous.trials import Trial, read_trials
from .runs import Runs
from .search import Scoring, score, search
from .simulation_calibration import SimulationCalibration
from .statistics import recorded, statistics_for

N_SIMULATIONS = 100
# information, per range of a parameter, of one that doesn't matter: its error is 30 times the range
_IDLE = 1e-3
_EDGE = 1e-6
_ALMOST = 1e-2  # smallest eigenvalue of the scaled information: errors ten times those one by one
_ENGINES = ("cython", "numpy", "cpp")


def calibrate_by_simulation(
    parts: Parts,
    free: Any,
    trains: Any,
    *,
    t_start: Any,
    t_stop: Any,
    dt: float,
    seed: int,
    n_jobs: int,
    n_simulations: Any,
    n_generations: Any,
    engine: str | None,
    out: str | os.PathLike[str] | None,
    progress: Any,
) -> SimulationCalibration:
    """The calibration of a neuron by the statistics of its spikes; arguments as for `calibrate`."""
    _check_parts(*parts)
    n_simulations = whole(N_SIMULATIONS if n_simulations is None else n_simulations, 30, "n_simulations")
    n_generations = whole(20 if n_generations is None else n_generations, 1, "n_generations")
    compiled = one_of("cython" if engine is None else engine, _ENGINES, "engine")
    parameters = read_free(free, parts)
    trials = read_trials(trains, dt, t_start, t_stop)
    check_start(parts[2], trials, dt)
    n_spikes = count_spikes(trials, parameters.names)
    n_steps = max(len(trial.o) for trial in trials)
    statistics = statistics_for(trials, dt, drive_of(parameters, n_steps, dt))
    if len(statistics.names) < len(parameters.names):
        raise NsnnError(
            f"free has {len(parameters.names)} parameters: expected at most {len(statistics.names)}, the number of statistics"
        )
    if n_simulations < 2 * len(statistics.names):
        raise NsnnError(
            f"n_simulations = {n_simulations}: expected at least {2 * len(statistics.names)}, twice the number of statistics"
        )
    folder = None if out is None else folder_of(out)
    rate = n_spikes / statistics.duration
    runs = Runs(parameters, statistics, n_steps, dt, rate, seed, compiled, n_jobs, folder)
    target = recorded(statistics, trials)
    few = max(8, n_simulations // 10)
    population = max(16, 8 * len(parameters.names))
    stars = 2 * len(parameters.names) + 1
    total = population * few * (n_generations + 1) + stars * n_simulations * 2
    done = 0
    with progress_bar(progress, "calibrating") as bar:

        def report(n: int) -> None:
            nonlocal done
            done += n
            if bar is not None:
                bar(min(done / total, 1.0))

        best = search(
            runs,
            target,
            n_spikes,
            n_simulations=few,
            n_generations=n_generations,
            population=population,
            report=report,
        )
        at = score(runs, target, best, n_simulations=n_simulations, report=report)
        if bar is not None:
            bar(1.0)
    return _result(runs, at, target, trials, done)


def _check_parts(model: Any, noise: Any, stimulus: Any) -> None:
    if isinstance(model, type) or not isinstance(model, Neuron):
        raise NsnnError(
            f"model = {model!r}: expected a neuron such as AdEx(...); calibrate fits one neuron, not a Network"
        )
    if not isinstance(noise, Noise):
        raise NsnnError(
            f"noise = {shown(noise)}: expected a noise model such as OUNoise(3*mV, 5*ms); a neuron without noise fires the "
            "same spikes in each simulation, so that its statistics have no likelihood"
        )
    check_stimulus(stimulus, "one stimulus")
    check_compatible(model, noise, stimulus)
    check_single(model, noise, stimulus)


def drive_of(free: FreeParameters, n_steps: int, dt: float) -> np.ndarray | None:
    """(n_steps,) the drive that the statistics refer to: that of the model, or in the middle of the bounds if it is constant."""
    stimulus = free.parts[2]
    if stimulus is None:
        return None
    drive = np.asarray(stimulus.samples(n_steps, dt), dtype=float)
    if np.ptp(drive) == 0:
        middle = free.models(free.values(np.full(len(free.names), 0.5)))[2]
        drive = np.asarray(middle.samples(n_steps, dt), dtype=float)
    return drive


def _result(
    runs: Runs, at: Scoring, target: np.ndarray, trials: list[Trial], n_runs: int
) -> SimulationCalibration:
    free = runs.free
    u = np.clip(at.centre + at.step, 0.0, 1.0)
    inner, edge, idle = sort_out(u, np.diag(at.information) < _IDLE, _EDGE)
    warn_held(free.names, u, edge, idle, what="spikes")
    covariance = _inverse(free, at.information[np.ix_(inner, inner)], inner)
    mean = at.mean.copy()
    mean[at.used] += at.slopes @ at.step
    return SimulationCalibration(
        **estimates(free, u, scaled_covariance(len(u), inner, idle, covariance)),
        n_spikes=sum(trial.n_spikes for trial in trials),
        dt=runs.dt,
        n_runs=n_runs,
        _trials=trials,
        _engine=runs.engine,
        _target=target,
        _mean=mean,
        _scoring=at,
        _runs=runs,
    )


def _inverse(free: FreeParameters, information: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """The covariance of the parameters of `inner`, on the scale of the search."""
    if not len(information):
        return information
    scale = np.sqrt(np.diag(information))
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    names = [free.names[inner[k]] for k in np.flatnonzero(np.abs(vectors[:, 0]) > 0.15)]
    found = np.linalg.inv(information + 1e-12 * np.diag(scale**2))
    wide = np.sqrt(np.diag(found)) > 1.0
    if values[0] < _ALMOST and wide.any() and len(names) > 1:
        refuse_indistinct(names, "statistics of the spikes are")
    if values[0] < _ALMOST and len(names) > 1:
        warn_similar(names)
    for k in np.flatnonzero(wide):
        warn(
            f"{free.names[inner[k]]} is not determined by these spikes: its error is larger than the range of its bounds; take it "
            "out of free"
        )
    return np.asarray(found)
