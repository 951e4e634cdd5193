"""Parameters by regression on simulations: docs/by_simulation.md.

1. Rounds: points of a region of the parameters, at first the whole of it, are simulated once each. A surface of second order
   describes the statistics of the points, its residuals their covariance.
2. Where the surface of a smaller region describes its statistics better, the next region surrounds the closest points. A
   linear regression of the parameters on the statistics learns in which summary they are close.
3. Else the next region holds the parameters that the recording does not exclude, however long and oblique it is. When new points
   of such regions confirm the surface twice, the estimate and its errors are those of generalised least squares on it.

Source: Fearnhead & Prangle 2012, doi 10.1111/j.1467-9868.2011.01010.x (learned summaries); Wood 2010, doi 10.1038/nature09319
(normal statistics); Vernon, Goldstein & Bower 2010, doi 10.1214/10-BA524 (regions that are not excluded); Hartlap, Simon &
Schneider 2007, doi 10.1051/0004-6361:20066170, and Dodelson & Schneider 2013, doi 10.1103/PhysRevD.88.063537 (errors)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, eigh, solve_triangular
from scipy.optimize import least_squares
from scipy.stats import chi2
from scipy.stats.qmc import Sobol

from .runs import Runs

_CLOSEST = 0.15  # of the points of a region, which the next one surrounds
_FEWEST = 3  # times the number of parameters: points from which new ones begin
_SPREAD = 0.5  # of the SD of the closest points, by which new ones are moved
_EXCLUDED = 1e-3  # probability, of what lies outside of a region
_CONFIRMED = 0.5  # of new points, that the surface they changed leaves in the region
_SAME = 1.35  # ratio of covariances of the statistics around surfaces that describe them equally well
_NARROWED = 1  # rounds, at least, that surround the closest points
_WALK = 15  # steps of points through a region
_STRENGTH = 1.0  # of the ridge of the summary
_LARGEST = 5.0  # standard deviations from the median: a regime far away does not tilt a regression
_NOISE = 0.25  # of the information about a direction, that noise in the slopes may be
_LEAST_KEPT = 0.05  # of the information
_STEP = 1e-4  # of differences
_PROFILE = 25  # values of a parameter up to a bound
SPARE = 10
"""Points beyond statistics and terms of a surface, at least."""
FIRST = 2**20
"""Number of the first simulation's noise; those of `simulator` are smaller."""


@dataclass(frozen=True, eq=False)
class Surface:
    """The mean of the statistics as a function of second order of the parameters, and their covariance."""

    middle: np.ndarray  # (K,)
    half: np.ndarray  # (K,)
    used: np.ndarray  # (n_statistics,) bool: the statistics that vary
    weights: np.ndarray  # (n_terms, n_statistics)
    covariance: np.ndarray  # (n_used, n_used) of a recording
    inverse: np.ndarray  # (n_terms, n_terms), of the weights of a statistic over its variance
    n_points: int

    @classmethod
    def through(cls, points: np.ndarray, statistics: np.ndarray) -> Surface:
        """The surface through points (n, K) with statistics (n, n_statistics)."""
        middle, half = points.mean(axis=0), np.maximum(np.ptp(points, axis=0) / 2, 1e-9)
        used = statistics.std(axis=0) > 1e-9
        clipped = _clipped(statistics)[0]
        design = _columns((points - middle) / half)
        weights = np.linalg.lstsq(design, clipped, rcond=None)[0]
        rest = (clipped - design @ weights)[:, used]
        covariance = rest.T @ rest / (len(points) - design.shape[1])
        covariance += 1e-9 * np.diag(np.diag(covariance) + 1e-12)
        return cls(middle, half, used, weights, covariance, np.linalg.pinv(design.T @ design), len(points))

    @property
    def n_terms(self) -> int:
        """Weights of a statistic."""
        return len(self.inverse)

    @property
    def free(self) -> int:
        """Degrees of freedom of the covariance."""
        return self.n_points - self.n_terms

    def columns(self, u: np.ndarray) -> np.ndarray:
        """The terms (n, n_terms) of points u (n, K)."""
        return _columns((u - self.middle) / self.half)

    def mean(self, u: np.ndarray) -> np.ndarray:
        """(n, n_statistics) at points u (n, K)."""
        return np.asarray(self.columns(u) @ self.weights)

    def widened(self, u: np.ndarray) -> np.ndarray:
        """(n,) variances of a recording's statistics around the surface at points u, over those around the true mean."""
        columns = self.columns(u)
        return 1 + np.einsum("ij,jk,ik->i", columns, self.inverse, columns)

    def whitened(self, rows: np.ndarray) -> np.ndarray:
        """The used columns of (n, n_statistics) times S^(-1/2), with Hartlap's factor."""
        factor = max((self.free - len(self.covariance) - 1) / self.free, 1 / self.free)
        root = cholesky(self.covariance, lower=True)
        return np.sqrt(factor) * np.asarray(solve_triangular(root, rows[:, self.used].T, lower=True)).T

    def distance(self, u: np.ndarray, target: np.ndarray) -> np.ndarray:
        """(n,) squared distance of a recording's statistics to those of points u (n, K), by their covariance."""
        away = self.whitened(target - self.mean(u))
        return np.asarray((away**2).sum(axis=1) / self.widened(u))

    def best(self, target: np.ndarray, start: np.ndarray, free: Sequence[int]) -> np.ndarray:
        """The point (K,) that is closest to the target if some parameters, by index, are free and the others as at `start`."""
        point, some = start.copy(), list(free)

        def away(values: np.ndarray) -> np.ndarray:
            point[some] = values
            return np.asarray(self.whitened(target - self.mean(point[None]))[0])

        if some:
            point[some] = least_squares(away, np.clip(start[some], 1e-6, 1 - 1e-6), bounds=(0.0, 1.0)).x
        return point

    def information(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """J' S^-1 J (K, K) of one recording at a point, J the slopes, and the part of it that noise in them makes on average."""
        apart = _STEP * np.eye(len(u))
        by_u = (self.columns(u + apart) - self.columns(u - apart)) / (2 * _STEP)
        slopes = self.whitened(by_u @ self.weights)
        widened = float(self.widened(u[None])[0])
        return slopes @ slopes.T / widened, len(self.covariance) * by_u @ self.inverse @ by_u.T / widened

    def known(self, u: np.ndarray) -> tuple[np.ndarray, float]:
        """The information (K, K) without that part, and the largest share of the part in a direction.

        An estimated covariance of the statistics widens errors (Dodelson & Schneider 2013).
        """
        seen, noise = self.information(u)
        seen += 1e-9 * np.diag(np.diag(seen) + 1e-9)
        share, basis = eigh(noise, seen)
        number, k, free = len(self.covariance), len(u), self.free
        more = 1 + (number - k) * (free - number - 2) / ((free - number - 1) * (free - number - 4))
        back = np.linalg.inv(basis)  # in the basis of the shares the information is the identity
        return back.T @ np.diag(np.clip(1 - share, _LEAST_KEPT, 1.0) / more) @ back, float(share[-1])

    def limits(self, target: np.ndarray, u: np.ndarray, k: int, rise: float) -> tuple[float, float]:
        """Where the distance, with the other parameters at their best, is `rise` above that at the best point u; else 0 or 1."""
        rest = [j for j in range(len(u)) if j != k]
        ends, widened = [], float(self.widened(u[None])[0])

        def distance(point: np.ndarray) -> float:
            away = self.whitened(target - self.mean(point[None]))
            return float((away**2).sum() / widened)

        for end in (0.0, 1.0):
            last, root, point, limit = u[k], 0.0, u.copy(), end
            for value in np.linspace(u[k], end, _PROFILE)[1:]:
                point[k] = value
                point = self.best(target, point, rest)
                new = np.sqrt(max(distance(point) - distance(u), 0.0))
                if new**2 > rise:
                    limit = last + (value - last) * (np.sqrt(rise) - root) / (new - root)
                    break
                last, root = value, new
            ends.append(float(limit))
        return ends[0], ends[1]


def _columns(x: np.ndarray) -> np.ndarray:
    pairs = [x[:, a] * x[:, b] for a in range(x.shape[1]) for b in range(a, x.shape[1])]
    return np.column_stack([np.ones(len(x)), x, *pairs])


def n_terms(k: int) -> int:
    """Of a surface of second order over k parameters."""
    return 1 + k + k * (k + 1) // 2


def _clipped(statistics: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Statistics with outliers moved to _LARGEST standard deviations; their medians and standard deviations, which are robust."""
    centre = np.median(statistics, axis=0)
    scale = 1.4826 * np.median(np.abs(statistics - centre), axis=0)
    scale = np.where(scale > 0, scale, statistics.std(axis=0))
    return np.clip(statistics, centre - _LARGEST * scale, centre + _LARGEST * scale), centre, scale


def approach(
    runs: Runs,
    target: np.ndarray,
    n: int,
    rounds: int,
    report: Callable[[float], object],
    confirmations: int = 2,
) -> tuple[Surface, np.ndarray, int, bool]:
    """The surface around the best point, that point (K,), the number of simulations, and whether new points confirmed the surface.

    There are at most `rounds` of `n` simulations each; so many `confirmations` in a row end them.
    """
    k, rng = len(runs.free.names), np.random.default_rng(runs.seed)
    new = Sobol(k, seed=runs.seed).random_base2(int(np.ceil(np.log2(n))))[:n]
    points, statistics, inside = np.empty((0, k)), np.empty((0, len(target))), np.empty(0, dtype=bool)
    before, was_region, rounds_held, settled = None, False, 0, False
    for number in range(rounds):
        done = [number * n]

        def tell(some: int, done: list[int] = done) -> None:
            done.append(some)
            report(sum(done) / (rounds * n))

        simulated = runs(new, 1, (FIRST + number * n + np.arange(n)).tolist(), tell)[:, 0]
        points, statistics = np.concatenate([points, new]), np.concatenate([statistics, simulated])
        inside = np.append(inside, np.ones(n, dtype=bool))
        some, theirs = points[inside], statistics[inside]
        whole = Surface.through(some, theirs)
        same = before is not None and 1 / _SAME < _ratio(before, whole) < _SAME
        before = whole
        surface, described = _described(some, theirs, target)
        distance = surface.distance(points, target)
        ordered = np.sort(distance[inside])
        reach = max(ordered[0] + chi2.ppf(1 - _EXCLUDED, k), ordered[_FEWEST * k])
        u = surface.best(target, some[np.argmin(distance[inside])], range(k))
        confirmed = np.mean(distance[-n:] <= reach) >= _CONFIRMED
        covers = described and surface.n_points == whole.n_points
        holds = covers and same and was_region and confirmed and surface.known(u)[1] < _NOISE
        rounds_held = rounds_held + 1 if holds else 0
        settled = rounds_held == confirmations
        if settled:
            break
        was_region = described and number >= _NARROWED
        if was_region:
            new = _walked(rng, surface, target, reach, some[distance[inside] <= reach], n)
            low, high = new.min(axis=0), new.max(axis=0)
            inside = (distance <= reach) & np.all((points >= low) & (points <= high), axis=1)
        else:
            new = _surrounding(rng, some[_closest(some, theirs, target)], n)
            away = _squared(points, new)
            inside = away <= _squared(new, new).max()
    return surface, u, len(points), settled


def _described(points: np.ndarray, statistics: np.ndarray, target: np.ndarray) -> tuple[Surface, bool]:
    """The surface through the points, or through ever fewer close ones while these are described better; whether that ended."""
    surface = Surface.through(points, statistics)
    while len(points) > (least := 2 * (surface.n_terms + len(target) + SPARE)):
        near = np.argsort(surface.distance(points, target))[: max(len(points) // 2, least // 2)]
        points, statistics = points[near], statistics[near]
        closer = Surface.through(points, statistics)
        if _ratio(surface, closer) < _SAME:
            return surface, True
        surface = closer
    return surface, False


def _ratio(before: Surface, now: Surface) -> float:
    """Covariance of the statistics around an earlier surface over that around this one, as a mean over directions."""
    both = before.used & now.used
    old, new = (one.covariance[np.ix_(both[one.used], both[one.used])] for one in (before, now))
    factor = max((now.free - len(new) - 1) / now.free, 1 / now.free)
    return float(np.trace(np.linalg.solve(new, old)) / len(new) * factor)


def _closest(points: np.ndarray, statistics: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Indices of the points whose learned summaries are closest to that of the recording."""
    clipped, centre, scale = _clipped(statistics)
    used = scale > 0
    x = (clipped[:, used] - centre[used]) / scale[used]
    y = np.clip((target[used] - centre[used]) / scale[used], -_LARGEST, _LARGEST)
    design, at = np.column_stack([np.ones(len(x)), x]), np.concatenate([[1.0], y])
    penalty = _STRENGTH * np.diag([0.0, *np.ones(x.shape[1])])
    weights = np.linalg.solve(design.T @ design + penalty, design.T @ points)
    error = (points - design @ weights).std(axis=0) + 1e-12
    away = (((design - at) @ weights / error) ** 2).sum(axis=1)
    return np.argsort(away)[: max(int(_CLOSEST * len(points)), _FEWEST * points.shape[1])]


def _root(points: np.ndarray) -> np.ndarray:
    """(K, K) root of the covariance of points (n, K)."""
    k = points.shape[1]
    return np.asarray(cholesky(np.cov(points.T).reshape(k, k) + 1e-10 * np.eye(k), lower=True))


def _squared(points: np.ndarray, around: np.ndarray) -> np.ndarray:
    """(n,) squared distances of points to the mean of others, by their covariance."""
    away = solve_triangular(_root(around), (points - around.mean(axis=0)).T, lower=True)
    return np.asarray((away**2).sum(axis=0))


def _surrounding(rng: np.random.Generator, points: np.ndarray, n: int) -> np.ndarray:
    """n points within the bounds and close to some of `points`."""
    root, kept = _SPREAD * _root(points), np.empty((0, points.shape[1]))
    while len(kept) < n:
        new = points[rng.integers(len(points), size=n)] + rng.normal(size=(n, len(root))) @ root.T
        kept = np.concatenate([kept, new[np.all((new >= 0) & (new <= 1), axis=1)]])
    return kept[:n]


def _walked(
    rng: np.random.Generator, surface: Surface, target: np.ndarray, reach: float, points: np.ndarray, n: int
) -> np.ndarray:
    """n points of the region closer to the target than `reach`, from random walks that begin at `points`."""
    k = points.shape[1]
    root, at = _root(points) / np.sqrt(k), points[rng.integers(len(points), size=n)]
    for _ in range(_WALK):
        length = rng.choice([0.5, 1.0, 2.0], size=(n, 1))
        new = at + length * rng.normal(size=(n, k)) @ root.T
        moved = np.all((new >= 0) & (new <= 1), axis=1)
        moved[moved] = surface.distance(new[moved], target) <= reach
        at[moved] = new[moved]
    return at
