"""`calibrate(..., method="simulation")`: any neuron that `simulate` runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.checks import one_of, whole
from ...core.errors import NsnnError
from ...core.progress import progress_bar
from ...core.results import folder_of
from ...core.units import shown
from ...core.warn import FIT_RIGHT, warn
from ...models.compatibility import check_compatible
from ...models.neurons import Neuron
from ...models.noise import Noise
from ..calibration.calibrated import Given, count_spikes, estimates, scaled_covariance
from ..calibration.free_parameters import FreeParameters, read_free
from ..calibration.maximise import ridge, sort_out
from ..calibration.undetermined import refuse_indistinct, warn_held, warn_similar
from ..continuous.conditional import check_single, check_start, check_stimulus
from ..continuous.trials import Trial, read_trials
from .runs import Runs
from .search import Scoring, score, search
from .simulation_calibration import SimulationCalibration
from .statistics import recorded, statistics_for

N_SIMULATIONS = 100
# Fisher information on a parameter scaled to its range, below which it doesn't matter: its error is 30 times the range
_IDLE = 1e-3
_EDGE = 1e-6
# smallest eigenvalue of the scaled information, below which errors are over ten times those of single parameters
_NEARLY_COLLINEAR = 1e-2
_ENGINES = ("cython", "numpy", "cpp")


def calibrate_by_simulation(
    given: Given, n_jobs: int, *, n_simulations: Any, n_generations: Any, engine: Any, out: Any
) -> SimulationCalibration:
    """The calibration of a neuron by the statistics of its spikes; options as of `calibrate`."""
    parts, dt = given.parts, given.dt
    _check_parts(*parts)
    n_simulations = whole(N_SIMULATIONS if n_simulations is None else n_simulations, 30, "n_simulations")
    n_generations = whole(20 if n_generations is None else n_generations, 1, "n_generations")
    compiled = one_of("cython" if engine is None else engine, _ENGINES, "engine")
    free = read_free(given.free, parts)
    trials = read_trials(given.trains, dt, given.t_start, given.t_stop, given.parts[2])
    check_start(parts[2], trials, dt)
    n_spikes = count_spikes(trials, free.names)
    n_steps = max(len(trial.o) for trial in trials)
    statistics = statistics_for(trials, dt, drive_of(free, n_steps, dt))
    n, n_statistics = len(free.names), len(statistics.names)
    if n_statistics < n:
        raise NsnnError(f"free has {n} parameters: expected at most {n_statistics}, the number of statistics")
    if n_simulations < 2 * n_statistics:
        raise NsnnError(
            f"n_simulations = {n_simulations}: expected at least {2 * n_statistics}, twice the number of statistics"
        )
    folder = None if out is None else folder_of(out)
    rate = n_spikes / statistics.duration
    runs = Runs(free, statistics, n_steps, dt, rate, given.seed, compiled, n_jobs, folder)
    target = recorded(statistics, trials)
    few, population = max(8, n_simulations // 10), max(16, 8 * n)
    total = population * few * (n_generations + 1) + (2 * n + 1) * n_simulations * 2
    done = 0
    with progress_bar(given.progress, "calibrating") as bar:

        def report(n: int) -> None:
            nonlocal done
            done += n
            if bar is not None:
                bar(min(done / total, 1.0))

        options = {"n_simulations": few, "n_generations": n_generations, "population": population}
        best = search(runs, target, n_spikes, **options, report=report)
        at = score(runs, target, best, n_simulations=n_simulations, report=report)
        if bar is not None:
            bar(1.0)
    return result(runs, at, target, trials, done)


def _check_parts(model: Any, noise: Any, stimulus: Any) -> None:
    if isinstance(model, type) or not isinstance(model, Neuron):
        raise NsnnError(
            f"model = {model!r}: expected one neuron such as AdEx(...), or a function that makes a Network"
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
    """(n_steps,) the drive of the statistics, in the middle of the bounds if it is constant."""
    stimulus = free.parts[2]
    if stimulus is None:
        return None
    drive = np.asarray(stimulus.samples(n_steps, dt), dtype=float)
    if np.ptp(drive) == 0:
        middle = free.models(free.values(np.full(len(free.names), 0.5)))[2]
        drive = np.asarray(middle.samples(n_steps, dt), dtype=float)
    return drive


def result(
    runs: Runs, at: Scoring, target: np.ndarray, trials: list[Trial], n_runs: int
) -> SimulationCalibration:
    """The calibration at the best point of a search."""
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
    smallest, moved = ridge(information)
    names = [free.names[inner[k]] for k in moved]
    covariance = np.linalg.inv(information + 1e-12 * np.diag(np.diag(information)))
    wide = np.sqrt(np.diag(covariance)) > 1.0
    if smallest < _NEARLY_COLLINEAR and len(names) > 1:
        if wide.any():
            refuse_indistinct(names, "statistics of the spikes are")
        warn_similar(names)
    for k in np.flatnonzero(wide):
        warn(
            f"{free.names[inner[k]]} is not determined by these spikes: its error exceeds its range: drop it{FIT_RIGHT}flat"
        )
    return np.asarray(covariance)
