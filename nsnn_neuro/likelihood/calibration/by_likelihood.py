"""`calibrate(..., method="likelihood")`: the most likely parameters of recorded spikes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...core.errors import NsnnError
from ...core.progress import progress_bar
from ...core.warn import warn
from ...models.compatibility import check_variance
from ...models.escape import EscapeNoise
from ...models.noise import OUNoise
from ..continuous.cells import Grid, check_resolved
from ..continuous.conditional import (
    check_parts,
    check_start,
    enough_for_a_fit,
    log_likelihoods,
    longest_refractory,
    stimulus_of,
)
from ..continuous.given_spikes import at_middle, stretches
from ..continuous.trials import Trial, read_recordings, searched
from ..synaptic_input import check_inputs, with_inputs
from .calibrated import Given, count_spikes, estimates, scaled_covariance
from .calibration import Calibration
from .free_parameters import PARTS, FreeParameters, read_free
from .maximise import FLAT_RIDGE, Ascent, Curvature, Function, at_best, climb, curvature, ridge, search
from .undetermined import REFRACTORY, refuse_indistinct, up_to_data, warn_fast, warn_held, warn_similar

# of the search, without and with a nonlinear membrane
_COARSE = {False: Grid(48, 1, 8), True: Grid(72, 1, 2)}
_ROUGH_DETAIL = 0.5  # of a grid with an Ornstein-Uhlenbeck input
_ROUGH_CELLS = 144  # at most, of a first climb where steps are divided
_CURVATURE_STRIDE = 2  # parts that are taken at once where the curvature is measured
_N_STARTS = 31
_N_LEVELS = 9  # of the noise, over its bounds
_MOST_CLIMBS, _LEAST_GAIN = 5, 0.02  # nats
_RIVALS = 5.0  # nats between ascents of a search of which either may be the better one
_INSIDE = 0.3  # of the range: how far from its bounds a parameter that one holds starts again
_WORSE = -0.1  # bits per spike: of a fit that is named
_ON_HALF = 0.02  # nats that a climb on half of the cells leaves
# smallest eigenvalue of the scaled information: joint errors are some thirty times the single ones
_NEARLY_COLLINEAR = 1e-3


@dataclass(frozen=True, eq=False)
class _Likelihood:
    """The log-likelihood of the trials as a function of the free parameters."""

    free: FreeParameters
    trials: list[Trial]
    dt: float
    n_jobs: int

    def on(self, grid: Grid) -> Function:
        """Points (n, K) to log-likelihoods of stretches, (n, n_stretches)."""
        known: dict[bytes, np.ndarray] = {}  # of the last call: a climb goes on from one of its points

        def function(points: np.ndarray) -> np.ndarray:
            nonlocal known
            keys = [u.tobytes() for u in points]
            new = [k for k, key in enumerate(keys) if key not in known]
            if new:
                rows = self.free.rows(points[new])
                logs = log_likelihoods(rows, self.trials, self.dt, grid, n_jobs=self.n_jobs)
                known = known | {keys[k]: log for k, log in zip(new, logs, strict=True)}
            known = {key: known[key] for key in keys}
            return np.stack([known[key] for key in keys])

        return function

    def enough(self, u: np.ndarray, detail: float = 1.0) -> Grid:
        """A grid for a fit that ends near a point u (K,); `detail` is that of `with_input`."""
        values = self.free.values(u)
        # a weight of 0 at a bound has neighbours whose variance changes
        values[(values == 0) & (np.array(self.free.paths) == "noise.weight")] = np.finfo(float).tiny
        return enough_for_a_fit(self.free.numbers(values), self.trials, self.dt, detail)


def calibrate_by_likelihood(given: Given, n_jobs: int) -> Calibration:
    """The most likely parameters of a neuron."""
    parts, dt = given.parts, given.dt
    for stimulus in parts[2] if isinstance(parts[2], tuple) else (parts[2],):
        check_parts(parts[0], parts[1], stimulus)
    inputs = dict(zip(given.heads[len(PARTS) :], parts[len(PARTS) :], strict=True))
    check_inputs(inputs, parts[0], parts[1])
    free = read_free(given.free, parts, given.heads)
    trials = read_recordings(given.trains, parts[2], dt, given.t_start, given.t_stop)
    trials = with_inputs(trials, inputs, len(parts[2]) if isinstance(parts[2], tuple) else None, dt)
    check_start(parts[2], trials, dt)
    count_spikes(trials, free.names)
    free = _up_to_intervals(free, trials, dt)
    likelihood = _Likelihood(free, trials, dt, n_jobs)
    with progress_bar(given.progress, "calibrating") as report:
        tell = report or (lambda _: None)
        # a part may rank maxima wrongly: in escape noise all trials cost little
        few = trials if isinstance(parts[1], EscapeNoise) else searched(trials, len(free.names))
        part = replace(likelihood, trials=few)
        starts = free.starts(given.seed, _N_STARTS)
        ascents = search(part.on(_coarse(part)), starts, lambda share: tell(0.5 * share))
        at, grid = _maximum(likelihood, part, ascents)
        tell(0.8)
        # long steps of the integral equation have errors that are small, and differ from point to point
        stride = grid if grid.integral or grid.n_levels else replace(grid, stride=_CURVATURE_STRIDE)
        most = np.where(np.array(free.paths) == REFRACTORY, 1.0, np.inf)  # spikes are impossible beyond
        at, observed = _confirm_maximum(likelihood.on(grid), likelihood.on(stride), at, most)
        tell(1.0)
    return _result(likelihood, at, observed, grid)


def _maximum(likelihood: _Likelihood, part: _Likelihood, ascents: list[Ascent]) -> tuple[Ascent, Grid]:
    """The maximum near the best points of a search on a part of the trials, on as fine a grid as it needs."""
    best = ascents[0]
    at, grid = Ascent(best.u, width=best.width), likelihood.enough(best.u)
    if grid.integral:
        grid = replace(grid, n_parts=1)
        at = _noise_level(part.on(grid), likelihood.free, ascents)
        at = climb(part.on(grid), at, 30, _ON_HALF)
        at = climb(likelihood.on(replace(grid, stride=_CURVATURE_STRIDE)), Ascent(at.u), 30, _ON_HALF)
        at = Ascent(at.u, width=at.width)
    elif (grid.n_parts or 1) > 1 and not grid.n_levels:
        # the search had few parts, and where it ended may need far more than the maximum
        rough = Grid(min(grid.n_cells or 0, _ROUGH_CELLS), 1 + 2 * ((grid.n_parts or 1) // 4))
        at = climb(likelihood.on(rough), at, 30, 0.05)
        at = Ascent(at.u, width=at.width)
        grid = likelihood.enough(at.u)
    elif grid.n_cells is not None:
        # most of the way, and the information there, cost half on half of the cells; errors of fewer
        # cells are as large as the differences between maxima
        cells = max(_COARSE[False].n_cells or 0, grid.n_cells // 2)
        rough = Grid(cells, 1, _CURVATURE_STRIDE)
        half = likelihood.on(likelihood.enough(best.u, _ROUGH_DETAIL) if grid.n_levels else rough)
        rivals = [one for one in ascents if one.value > best.value - _RIVALS]
        rivals += [_inside(half, one) for one in rivals if np.any((one.u <= 0) | (one.u >= 1))]
        near = [climb(half, Ascent(one.u, width=one.width), 30, _ON_HALF) for one in rivals]
        at = max(near, key=lambda one: one.value)
        at = Ascent(at.u, width=at.width, information=_filled(curvature(half, at), at))
    for _ in range(3):
        at = climb(likelihood.on(grid), at, 30, 1e-3)
        needed = likelihood.enough(at.u)
        if grid.holds(needed):
            break
        grid, at = needed, Ascent(at.u, width=at.width)
    return at, grid


def _noise_level(function: Function, free: FreeParameters, ascents: list[Ascent]) -> Ascent:
    """The best start near those of a search whose cells blur a narrow density: such a search says nothing about a weak noise."""
    points = np.array([one.u for one in ascents])
    if "noise.sigma" in free.paths:
        levels = np.linspace(0.0, 1.0, _N_LEVELS)
        points = np.concatenate([points, np.repeat(points, _N_LEVELS, axis=0)])
        points[len(ascents) :, free.paths.index("noise.sigma")] = np.tile(levels, len(ascents))
    return Ascent(points[np.argmax(function(points).sum(axis=1))])


def _inside(function: Function, at: Ascent) -> Ascent:
    """Another start, with parameters at a bound well inside and the others at their best: a ridge may be higher there."""
    at_bound = (at.u <= 0) | (at.u >= 1)
    u = np.where(at_bound, np.clip(at.u, _INSIDE, 1 - _INSIDE), at.u)
    return Ascent(at_best(function, u, ~at_bound, 30, _ON_HALF).u)


def _filled(observed: Curvature, at: Ascent) -> np.ndarray:
    """(K, K) the observed information; that of the scores where it is not known."""
    assert at.scores is not None
    information = np.diag((at.scores**2).sum(axis=0))
    information[np.ix_(observed.inner, observed.inner)] = observed.information
    return np.asarray(information)


def _coarse(likelihood: _Likelihood) -> Grid:
    """The grid of the search: coarse, but with parts of steps where the model needs them."""
    free = likelihood.free
    if isinstance(free.parts[1], OUNoise):
        return likelihood.enough(np.clip(free.start(), 0.0, 1.0), _ROUGH_DETAIL)
    usual = _COARSE[free.parts[0].nonlinear is not None]
    n_parts = likelihood.enough(np.clip(free.start(), 0.0, 1.0)).n_parts or 1
    return usual if n_parts == 1 else replace(usual, n_parts=1 + 2 * (n_parts // 8), stride=1)


def _confirm_maximum(
    function: Function, strided: Function, at: Ascent, most: np.ndarray
) -> tuple[Ascent, Curvature]:
    """The maximum and the curvature there, once a climb with this curvature gains nothing: curved ridges stop a climb early."""
    for _ in range(_MOST_CLIMBS):
        observed = curvature(strided, at, most)
        again = climb(function, Ascent(at.u.copy(), information=_filled(observed, at)), 30, 1e-3)
        gained = again.value - at.value
        if gained > 0:
            at = again
        if gained < _LEAST_GAIN:
            break
    return at, observed


def _up_to_intervals(free: FreeParameters, trials: list[Trial], dt: float) -> FreeParameters:
    """`free` with tau_refrac up to the shortest interval; NsnnError where it is longer whatever its value."""
    values = free.values(free.start())
    longest = np.array([path == REFRACTORY for path in free.paths])
    values[longest] = free.low[longest]
    neuron, noise, *_ = free.models(values)
    middle = at_middle(noise)
    for trial in trials:
        stretches(neuron, np.zeros(len(trial.o) + 1), trial.o, dt, middle=middle, t_start=trial.t_start)
    shortest, n_intervals = longest_refractory(trials, noise, dt)
    for k in np.flatnonzero(longest & (free.high > shortest)):
        one = free.each[k]
        size, unit, _ = one.shown
        warn(
            f"{one.name}: its upper bound {one.high / size:.6g} {unit} was lowered to {shortest / size:.6g} {unit}, the shortest "
            f"of {n_intervals} intervals: more is impossible"
        )
        free = replace(free, each=(*free.each[:k], replace(one, high=shortest), *free.each[k + 1 :]))
    return free


def _result(likelihood: _Likelihood, at: Ascent, observed: Curvature, grid: Grid) -> Calibration:
    free, trials, dt, inner = likelihood.free, likelihood.trials, likelihood.dt, observed.inner
    smallest, moved = ridge(observed.information)
    if smallest < FLAT_RIDGE:
        refuse_indistinct([free.names[inner[k]] for k in moved])
    # with those at a bound, to which a ridge may lead
    matter = np.setdiff1d(np.arange(len(free.names)), observed.idle)
    assert at.scores is not None
    smallest, moved = ridge((at.scores.T @ at.scores)[np.ix_(matter, matter)])
    if smallest < _NEARLY_COLLINEAR:
        warn_similar([free.names[matter[k]] for k in moved])
    limits = "; limits of the others: fit.profile(name)"
    longest = up_to_data(free, trials, free.parts[1], dt)
    warn_held(free.names, at.u, observed.edge, observed.idle, limits=limits, up_to_data=longest)
    check_resolved(grid, dt)
    covariance = np.linalg.inv(observed.information)
    scaled = scaled_covariance(len(at.u), inner, observed.idle, covariance)
    fit = Calibration(
        **estimates(free, at.u, scaled, trials, dt, log_likelihood=at.value),
        grid=grid,
        _scores=at.scores,
    )
    warn_fast(fit.model, dt)
    for trial in trials:
        try:
            check_variance(fit.noise, stimulus_of(trial, fit.stimulus), len(trial.o), dt)
        except NsnnError as error:
            warn(f"at the maximum, {error}; the fit takes it for almost 0 there")
            break
    if fit.bits_per_spike < _WORSE:
        warn(
            f"the fitted neuron predicts its spikes worse than a constant rate ({fit.bits_per_spike:.3g} bits per spike): no value "
            "within the bounds fits them; widen the bounds, and look at the unit of the signal"
        )
    return fit.flat_bounds(likelihood.n_jobs)
