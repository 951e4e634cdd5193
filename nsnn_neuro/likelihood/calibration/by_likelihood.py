"""`calibrate(..., method="likelihood")`: the most likely parameters of recorded spikes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...core.progress import progress_bar
from ...models.escape import EscapeNoise
from ..continuous.cells import Grid, check_resolved
from ..continuous.conditional import Parts, check_parts, check_start, enough_for_a_fit, log_likelihoods
from ..continuous.given_spikes import stretches
from ..continuous.trials import Trial, read_recordings
from .calibrated import count_spikes, estimates, gain_per_spike, scaled_covariance
from .calibration import Calibration
from .free_parameters import FreeParameters, read_free
from .maximise import FLAT_RIDGE, Ascent, Curvature, Function, at_best, climb, curvature, ridge, search
from .undetermined import refuse_indistinct, warn_fast, warn_held, warn_similar

# of the search, without and with a nonlinear membrane
_COARSE = {False: Grid(48, 1, 4), True: Grid(72, 1, 2)}
_ROUGH = 144  # cells, at most, of a first climb where steps are divided
_BENT = 2  # parts that are taken at once where the curvature is measured
_N_STARTS = 31
_N_LEVELS = 9  # of the noise, over its bounds
_MOST_CLIMBS, _GAIN = 5, 0.02  # nats
_CLOSE = 5.0  # nats between ascents of a search of which either may be the better one
_INSIDE = 0.3  # of the range: how far from its bounds a parameter that one holds starts again
_NEAR = 0.02  # nats that a climb on half of the cells leaves
_ALMOST = 1e-3  # smallest eigenvalue of the scaled information of parameters with some thirty times larger errors than one by one


def calibrate_by_likelihood(
    parts: Parts,
    free: Any,
    trains: Any,
    t_start: Any,
    t_stop: Any,
    step: float,
    seed: int,
    jobs: int,
    progress: Any,
) -> Calibration:
    """The most likely parameters of a neuron; arguments as for `calibrate`."""
    for one in parts[2] if isinstance(parts[2], tuple) else (parts[2],):
        check_parts(*parts[:2], one)
    parameters = read_free(free, parts)
    trials = read_recordings(trains, parts[2], step, t_start, t_stop)
    check_start(parts[2], trials, step)
    count_spikes(trials, parameters.names)
    _check_refractory(parameters, trials, step)
    with progress_bar(progress, "calibrating") as report:
        tell = report or (lambda _: None)
        coarse = _coarse(parameters, trials, step)
        found = search(_function(parameters, trials, step, coarse, jobs), parameters.starts(seed, _N_STARTS))
        tell(0.5)
        at, grid = _maximum(parameters, trials, step, jobs, found)
        tell(0.8)
        at, bent = _certain(
            _function(parameters, trials, step, grid, jobs),
            _function(parameters, trials, step, replace(grid, stride=_BENT), jobs),
            at,
        )
        tell(1.0)
    return _result(parameters, at, bent, trials, step, grid, jobs)


def _function(free: FreeParameters, trials: list[Trial], dt: float, grid: Grid, jobs: int) -> Any:
    """Points (n, K) to log-likelihoods of stretches, (n, n_stretches)."""
    return lambda points: log_likelihoods(free.rows(points), trials, dt, grid, n_jobs=jobs)


def _maximum(
    free: FreeParameters, trials: list[Trial], dt: float, jobs: int, found: list[Ascent]
) -> tuple[Ascent, Grid]:
    """The maximum near the best points of a search, on as fine a grid as it needs."""
    best = found[0]
    at = Ascent(best.u, width=best.width)
    grid = enough_for_a_fit(free.numbers(free.values(at.u)), trials, dt)
    if grid.integral:
        grid = replace(grid, n_parts=1)
        at = _noise_level(_function(free, trials, dt, grid, jobs), free, found)
    elif (grid.n_parts or 1) > 1:
        # the search had few parts, and where it ended may need far more than the maximum
        rough = Grid(min(grid.n_cells or 0, _ROUGH), 1 + 2 * ((grid.n_parts or 1) // 4))
        at = climb(_function(free, trials, dt, rough, jobs), at, 30, 0.05)
        at = Ascent(at.u, width=at.width)
        grid = enough_for_a_fit(free.numbers(free.values(at.u)), trials, dt)
    elif grid.n_cells is not None:
        # most of the way, and the information there, cost half on half of the cells; errors of fewer cells are as large as the
        # differences between maxima
        cells = max(_COARSE[False].n_cells or 0, grid.n_cells // 2)
        between = _function(free, trials, dt, Grid(cells, 1, _BENT), jobs)
        some = [one for one in found if one.value > best.value - _CLOSE]
        some += [_inside(between, one) for one in some if np.any((one.u <= 0) | (one.u >= 1))]
        near = [climb(between, Ascent(one.u, width=one.width), 30, _NEAR) for one in some]
        at = max(near, key=lambda one: one.value)
        at = Ascent(at.u, width=at.width, information=_filled(curvature(between, at), at))
    for _ in range(3):
        at = climb(_function(free, trials, dt, grid, jobs), at, 30, 1e-3)
        needed = enough_for_a_fit(free.numbers(free.values(at.u)), trials, dt)
        if grid.holds(needed):
            break
        grid, at = needed, Ascent(at.u, width=at.width)
    return at, grid


def _noise_level(function: Function, free: FreeParameters, found: list[Ascent]) -> Ascent:
    """The best start near those of a search whose cells blur a narrow density, and so say nothing about a weak noise."""
    points = np.array([one.u for one in found])
    if "noise.sigma" in free.paths:
        levels = np.linspace(0.0, 1.0, _N_LEVELS)
        points = np.concatenate([points, np.repeat(points, _N_LEVELS, axis=0)])
        points[len(found) :, free.paths.index("noise.sigma")] = np.tile(levels, len(found))
    return Ascent(points[np.argmax(function(points).sum(axis=1))])


def _inside(function: Function, at: Ascent) -> Ascent:
    """Another start, with parameters that a bound holds well inside and the others at their best: a ridge may be higher there."""
    at_bound = (at.u <= 0) | (at.u >= 1)
    u = np.where(at_bound, np.clip(at.u, _INSIDE, 1 - _INSIDE), at.u)
    return Ascent(at_best(function, u, ~at_bound, 30, _NEAR).u)


def _filled(bent: Curvature, at: Ascent) -> np.ndarray:
    """(K, K) the observed information, and that of the scores of parameters at a bound or without effect."""
    assert at.scores is not None
    information = np.diag((at.scores**2).sum(axis=0))
    information[np.ix_(bent.inner, bent.inner)] = bent.information
    return np.asarray(information)


def _coarse(free: FreeParameters, trials: list[Trial], dt: float) -> Grid:
    """The grid of the search: coarse, but with parts of steps where the model's own values need them."""
    own = free.numbers(free.values(np.clip(free.start(), 0.0, 1.0)))
    usual = _COARSE[own[0].nonlinear is not None]
    n_parts = enough_for_a_fit(own, trials, dt).n_parts or 1
    return usual if n_parts == 1 else replace(usual, n_parts=1 + 2 * (n_parts // 8), stride=1)


def _certain(function: Function, bent: Function, at: Ascent) -> tuple[Ascent, Curvature]:
    """The maximum and the curvature there, once a climb with this curvature gains nothing: curved ridges stop one early."""
    for _ in range(_MOST_CLIMBS):
        observed = curvature(bent, at)
        again = climb(function, Ascent(at.u.copy(), information=_filled(observed, at)), 30, 1e-3)
        gained = again.value - at.value
        if gained > 0:
            at = again
        if gained < _GAIN:
            break
    return at, observed


def _check_refractory(free: FreeParameters, trials: list[Trial], dt: float) -> None:
    """Raise NsnnError where tau_refrac may be longer than an interval."""
    values = free.values(free.start())
    if "model.tau_refrac" in free.paths:
        values[free.paths.index("model.tau_refrac")] = free.high[free.paths.index("model.tau_refrac")]
    neuron, noise, _ = free.models(values)
    middle = not (isinstance(noise, EscapeNoise) and noise.family is not None)
    for trial in trials:
        stretches(neuron, np.zeros(len(trial.o) + 1), trial.o, dt, middle=middle, t_start=trial.t_start)


def _result(
    free: FreeParameters, at: Ascent, bent: Curvature, trials: list[Trial], dt: float, grid: Grid, jobs: int
) -> Calibration:
    n = len(free.names)
    smallest, moved = ridge(bent.information)
    if smallest < FLAT_RIDGE:
        refuse_indistinct([free.names[bent.inner[k]] for k in moved])
    matter = np.setdiff1d(np.arange(n), bent.idle)  # with those at a bound, to which a ridge may lead
    assert at.scores is not None
    smallest, moved = ridge((at.scores.T @ at.scores)[np.ix_(matter, matter)])
    if smallest < _ALMOST:
        warn_similar([free.names[matter[k]] for k in moved])
    warn_held(free.names, at.u, bent.edge, bent.idle, limits="; limits of the others: fit.profile(name)")
    check_resolved(grid, dt)
    scaled = scaled_covariance(n, bent.inner, bent.idle, np.linalg.inv(bent.information))
    fit = Calibration(
        **estimates(free, at.u, scaled),
        log_likelihood=at.value,
        bits_per_spike=gain_per_spike(at.value, trials),
        n_spikes=sum(trial.n_spikes for trial in trials),
        dt=dt,
        grid=grid,
        _trials=trials,
        _scores=at.scores,
    )
    warn_fast(fit.model, dt)
    return fit.flat_bounds(jobs)
