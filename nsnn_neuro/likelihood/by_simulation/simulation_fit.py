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
from .regression import SPARE, approach, n_terms
from .runs import Runs
from .simulation_calibration import SimulationCalibration
from .statistics import recorded, statistics_for

N_SIMULATIONS, N_ROUNDS = 500, 20
# Fisher information on a parameter scaled to its range, below which it doesn't matter: its error is 30 times the range
_IDLE = 1e-3
_OF_NOISE = 3.0  # times the information that noise in the slopes makes on average: still no effect
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
    rounds = whole(N_ROUNDS if n_generations is None else n_generations, 2, "n_generations")
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
    least = n_statistics + n_terms(n) + SPARE
    n_simulations = whole(
        max(N_SIMULATIONS, least) if n_simulations is None else n_simulations, least, "n_simulations"
    )
    folder = None if out is None else folder_of(out)
    rate = n_spikes / statistics.duration
    runs = Runs(free, statistics, n_steps, dt, rate, given.seed, compiled, n_jobs, folder)
    target = recorded(statistics, trials)
    return calibrated(runs, target, trials, n_simulations, rounds, given.progress)


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


def calibrated(
    runs: Runs,
    target: np.ndarray,
    trials: list[Trial],
    n_simulations: int,
    rounds: int,
    progress: Any,
    confirmations: int = 2,
) -> SimulationCalibration:
    """The calibration to a recording with the statistics `target`."""
    free = runs.free
    with progress_bar(progress, "calibrating") as bar:
        surface, u, n_runs, settled = approach(
            runs, target, n_simulations, rounds, bar or (lambda _: None), confirmations
        )
    if not settled:
        warn(
            f"after {rounds} rounds new simulations still change the estimate or its errors: raise n_simulations = "
            f"{n_simulations} or n_generations, or narrow the bounds"
        )
    seen, noise = (np.diag(one) for one in surface.information(u))
    inner, edge, idle = sort_out(u, seen < np.maximum(_IDLE, _OF_NOISE * noise), _EDGE)
    warn_held(free.names, u, edge, idle, what="spikes", limits="; limits for all values: fit.interval()")
    covariance = _inverse(free, surface.known(u)[0][np.ix_(inner, inner)], inner)
    return SimulationCalibration(
        **estimates(free, u, scaled_covariance(len(u), inner, idle, covariance), trials, runs.dt),
        n_runs=n_runs,
        confirmed=settled,
        _engine=runs.engine,
        _target=target,
        _surface=surface,
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
