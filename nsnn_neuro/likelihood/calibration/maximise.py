"""Maximise a log-likelihood of independent stretches within bounds; its curvature.

A step solves (J + damping) step = gradient, J the sum of outer products of the stretches' scores (Berndt et al. 1974), with BFGS
updates. Scores are differences over a tiny part of a standard error: longer ones have a bias that leads far along a ridge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]
"""Points (n, K), each from 0 to 1, to the log-likelihood of each stretch, (n, n_stretches)."""
_FIRST, _FINEST = 1e-6, 1e-7  # of the range: the first step of a difference and the smallest
_SMALL = 1e-4  # of a standard error: a step of a difference
_FACTORS = (1.0, 2.0, 0.5, 0.2, 0.05)
_AS_EXPECTED = (0.5, 1.5)  # of the gain that a parabola has: such a step is taken at once
_LIGHT = 1e-3  # damping without effect but on a ridge that is all but flat
_FLAT = 1e-7  # Fisher information on a parameter scaled to its range, below which it doesn't matter
_EDGE = 1e-9
_ROUNDS = ((8, 5), (4, 10), (2, 40))  # of a search: how many ascents go on, by how many steps
_ROUGHLY = 0.5  # nats, the tolerance of a search
_STALLED = 4  # steps that together gain less than the tolerance end a climb whose damping is above 1
_CLOSE = 0.05  # of the range: ascents at most so far apart are taken to be one
_LONGEST = 0.25  # of the range: a step of second differences along a parameter that hardly matters
FLAT_RIDGE = 1e-5
"""Smallest eigenvalue of the scaled information that differences of scores distinguish from 0."""


@dataclass
class Ascent:
    """A maximisation and where it stands."""

    u: np.ndarray  # (K,)
    value: float = -np.inf
    damping: float = 1e-3
    width: np.ndarray | None = None  # (K,) steps of differences
    scores: np.ndarray | None = None  # (n_stretches, K)
    done: bool = False
    iterations: int = 0
    moved: np.ndarray | None = None  # (K,) the last step
    # (K, K) observed, such as on a coarse grid, in place of the scores'
    information: np.ndarray | None = None
    # steps that were taken, (K,), and how much the gradient fell over each, (K,)
    seen: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)

    @property
    def gradient(self) -> np.ndarray:
        """(K,)"""
        assert self.scores is not None
        return np.asarray(self.scores.sum(axis=0))


def climb(function: Function, at: Ascent, n_steps: int, tolerance: float) -> Ascent:
    """Take up to n_steps; done when one is to gain less than `tolerance` nats."""
    values = [at.value]
    for _ in range(n_steps):
        if at.done:
            break
        before = None if at.scores is None else at.gradient
        if at.width is None:
            at.width = np.full(len(at.u), _FIRST)
        logs, steps = beside(function, at.u, at.width)
        at.value = float(logs[-1].sum())
        at.scores = ((logs[:-1] - logs[-1]) / steps[:, None]).T
        at.width = widths((at.scores**2).sum(axis=0))
        if before is not None and at.moved is not None:
            at.seen.append((at.moved, before - at.gradient))
        _step(function, at, tolerance)
        at.iterations += 1
        values.append(at.value)
        if at.damping > 1 and values[-1] < values[max(-1 - _STALLED, -len(values))] + tolerance:
            at.done = True
    return at


def beside(function: Function, u: np.ndarray, width: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The function (K + 1, n_stretches) at small inward steps and at u; the steps (K,)."""
    steps = np.where(u < 0.5, width, -width)
    return function(np.concatenate([u + np.diag(steps), u[None]])), steps


def widths(information: np.ndarray) -> np.ndarray:
    """(K,) steps of differences without bias, given the information on each parameter."""
    return np.clip(_SMALL / np.sqrt(np.maximum(information, 1e-12)), _FINEST, _FIRST)


def _step(function: Function, at: Ascent, tolerance: float) -> None:
    """Move to the best of a few steps of different length, or raise the damping."""
    assert at.scores is not None
    gradient = at.gradient
    at_bound = ((at.u <= 0) & (gradient < 0)) | ((at.u >= 1) & (gradient > 0))
    free = np.flatnonzero(~at_bound)
    if not free.size:
        at.done = True
        return
    scores = at.scores[:, free]
    known = scores.T @ scores if at.information is None else at.information[np.ix_(free, free)]
    information = updated(known, [(s[free], y[free]) for s, y in at.seen[-2 * len(free) :]])
    scale = np.maximum(np.diag(information), 1e-12)
    step, undamped = np.zeros_like(at.u), np.zeros_like(at.u)
    for one, damping in ((step, at.damping), (undamped, min(at.damping, _LIGHT))):
        one[free] = np.linalg.solve(information + np.diag(damping * scale + 1e-9), gradient[free])
    if 0.5 * gradient @ undamped < tolerance:  # not of the damped step, which gains little as it is short
        at.done = True
        point = np.clip(at.u + step, 0.0, 1.0)
        value = float(function(point[None]).sum())
        if value > at.value:
            at.u, at.value = point, value
        return
    largest = np.abs(step).max()
    step *= min(1.0, 0.5 / largest)  # at most half of the range
    points = np.clip(at.u + np.outer(_FACTORS, step), 0.0, 1.0)
    expected = gradient @ step - 0.5 * step[free] @ information @ step[free]
    values = function(points[:1]).sum(axis=1)
    if not _AS_EXPECTED[0] * expected < values[0] - at.value < _AS_EXPECTED[1] * expected:
        values = np.concatenate([values, function(points[1:]).sum(axis=1)])
    best = int(np.argmax(values))
    better = values[best] > at.value
    at.moved = points[best] - at.u if better else None
    if better:
        at.u, at.value = points[best], float(values[best])
        at.damping = max(at.damping * (0.3 if _FACTORS[best] >= 0.5 else 3.0), 1e-6)
    elif at.damping > 1e6:
        at.done = True
    else:
        at.damping = max(at.damping * 30.0, 1e-2)


def updated(information: np.ndarray, seen: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """An information that agrees with the last changes of the gradient (BFGS)."""
    for step, fall in seen:
        expected = information @ step
        have, want = step @ expected, step @ fall
        if have > 0 and 0.1 < want / have < 10:  # else far from a parabola
            information = information + np.outer(fall, fall) / want - np.outer(expected, expected) / have
    return information


def held(function: Function, u: np.ndarray, some: np.ndarray) -> Function:
    """The function of some of the parameters, by index or mask, the others held at u (K,)."""

    def of_some(points: np.ndarray) -> np.ndarray:
        rows = np.tile(u, (len(points), 1))
        rows[:, some] = points
        return function(rows)

    return of_some


def at_best(function: Function, u: np.ndarray, some: np.ndarray, n_steps: int, tolerance: float) -> Ascent:
    """The point u with some of its parameters, a mask, at their best, and the value there."""
    if not some.any():
        return Ascent(u, float(function(u[None]).sum()))
    best = climb(held(function, u, some), Ascent(u[some].copy()), n_steps, tolerance)
    point = u.copy()
    point[some] = best.u
    return Ascent(point, best.value)


def search(
    function: Function, starts: np.ndarray, tell: Callable[[float], object] = lambda _: None
) -> list[Ascent]:
    """The best ascents from starts (n, K): a few steps from many, more from ever fewer, as good starts may lead to poor maxima.

    tell : called with the share that is done"""
    values = function(starts).sum(axis=1)
    ascents = [Ascent(starts[k].copy(), float(values[k])) for k in np.argsort(-values)]
    done, whole = 0, sum(keep * n_steps for keep, n_steps in _ROUNDS)
    for keep, n_steps in _ROUNDS:
        for place, one in enumerate(ascents[:keep]):
            ascents[place] = climb(function, one, n_steps, _ROUGHLY)
            tell((done + (place + 1) * n_steps) / whole)
        done += keep * n_steps
        apart: list[Ascent] = []
        for one in sorted(ascents[:keep], key=lambda one: -one.value):
            if all(np.abs(one.u - other.u).max() > _CLOSE for other in apart):
                apart.append(one)
        ascents = apart
    return ascents


@dataclass(frozen=True, eq=False)
class Curvature:
    """The observed information at a maximum."""

    information: np.ndarray  # (n, n) minus the second derivatives, of the parameters of `inner`
    inner: np.ndarray  # the parameters within their bounds that matter
    edge: np.ndarray  # those at a bound
    idle: np.ndarray  # those without any effect on the likelihood


def curvature(function: Function, at: Ascent, most: np.ndarray | float = np.inf) -> Curvature:
    """The observed information by second differences over half an error (0.25 at most); of the scores where these pass `most`.

    Scores are uncorrelated in its coordinates, so that parameters that almost replace each other lose no digits."""
    assert at.scores is not None
    u, n = at.u, len(at.u)
    total = at.scores.T @ at.scores
    inner, edge, idle = sort_out(u, np.diag(total) < _FLAT, _EDGE)
    m = len(inner)
    scored = total[np.ix_(inner, inner)]
    smallest, _ = ridge(scored)
    if smallest < FLAT_RIDGE:
        return Curvature(scored, inner, edge, idle)
    values, vectors = np.linalg.eigh(scored)
    turned = vectors / np.sqrt(values)  # columns: a standard error in independent directions
    lengths = np.minimum(0.5, _LONGEST / np.maximum(np.abs(turned).max(axis=0, initial=0.0), 1e-300))
    steps = np.zeros((m, n))
    steps[:, inner] = lengths[:, None] * turned.T
    pairs = [(i, j) for i in range(m) for j in range(i)]
    points = [u, *(u + s for s in steps), *(u - s for s in steps)]
    points += [u + steps[i] + steps[j] for i, j in pairs] + [u - steps[i] - steps[j] for i, j in pairs]
    if np.any(np.array(points) > most):
        return Curvature(scored, inner, edge, idle)
    f = function(np.array(points)).sum(axis=1)
    up, down = f[1 : m + 1], f[m + 1 : 2 * m + 1]
    second = np.diag(2 * f[0] - up - down)
    for p, (i, j) in enumerate(pairs):
        both = f[1 + 2 * m + p] + f[1 + 2 * m + len(pairs) + p]
        second[i, j] = second[j, i] = (up[i] + down[i] + up[j] + down[j] - 2 * f[0] - both) / 2
    second /= np.outer(lengths, lengths)
    if not m or np.linalg.eigvalsh(second)[0] < 0.04:  # no maximum to be seen: the scores are what is left
        return Curvature(scored, inner, edge, idle)
    back = np.linalg.inv(turned)
    return Curvature(back.T @ second @ back, inner, edge, idle)


def sort_out(u: np.ndarray, idle: np.ndarray, edge: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parameters by index: within their bounds, within `edge` of a bound, and `idle`."""
    at_bound = ~idle & ~((edge < u) & (u < 1 - edge))
    return np.flatnonzero(~idle & ~at_bound), np.flatnonzero(at_bound), np.flatnonzero(idle)


def ridge(information: np.ndarray) -> tuple[float, Sequence[int]]:
    """The smallest eigenvalue of a scaled information, and the parameters that it moves."""
    if not len(information):
        return 1.0, []
    scale = np.sqrt(np.maximum(np.diag(information), 1e-300))
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    moved = np.flatnonzero(np.abs(vectors[:, 0]) > 0.15)
    return float(values[0]), moved.tolist()
