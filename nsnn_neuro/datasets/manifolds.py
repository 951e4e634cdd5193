"""Smooth random manifolds: classes that differ by when units fire, never by how often.

Each class is a manifold of few dimensions, a smooth random surface in the space of all units' firing times. A sample is a random
point of it: every unit fires exactly once, at the time that is its coordinate. So counts are the same for all samples, and a
decoder of rates is at chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.checks import non_negative, suggest_keywords, whole

_FINE = 20  # points of the grid per period of the fastest mode
# spawn keys: independent random numbers for the manifolds and for their samples
_MANIFOLDS, _SAMPLES = range(2)


@dataclass(frozen=True, eq=False)
class Manifold:
    """A class of `smooth_manifolds`: f_i(x) = prod_d sum_k a_idk k^-alpha sin(2 pi (k b_idk x_d + c_idk)), x in the unit cube.

    amplitude, frequency, phase : a k^-alpha, k b, c; (n_units, dimension, n_modes)

    Source: Zenke & Vogels 2021, doi 10.1162/neco_a_01367

    >>> one = np.ones((1, 1, 1))
    >>> Manifold(one, one, 0 * one).times(np.array([[0.0], [0.25], [0.75]])).round(3).tolist()
    [[0.5], [1.0], [0.0]]
    """

    amplitude: np.ndarray
    frequency: np.ndarray
    phase: np.ndarray

    @classmethod
    def drawn(
        cls, n_units: int, dimension: int, n_modes: int, alpha: float, rng: np.random.Generator
    ) -> Manifold:
        """Draw a manifold with a, b and c uniform from 0 to 1, for alpha >= 0.

        >>> Manifold.drawn(20, 2, 50, 2.0, np.random.default_rng(0)).amplitude.shape
        (20, 2, 50)
        """
        k = np.arange(1.0, n_modes + 1)
        a, b, c = rng.random((3, n_units, dimension, n_modes))
        return cls(a * k**-alpha, k * b, c)

    def _factor(self, unit: int, d: int, x: np.ndarray) -> np.ndarray:
        turns = self.frequency[unit, d] * x[:, None] + self.phase[unit, d]
        return np.asarray(np.sin(2 * np.pi * turns) @ self.amplitude[unit, d])

    def _range(self, unit: int, d: int) -> tuple[float, float]:
        """Least and largest value of a factor on the grid x = (m i + j) / (m^2 - 1), by 2 m phasors for each mode."""
        m = int(np.ceil(np.sqrt(_FINE * self.phase.shape[-1])))
        turns = np.outer(np.arange(m) / (m**2 - 1), self.frequency[unit, d])
        coarse = self.amplitude[unit, d] * np.exp(2j * np.pi * (m * turns + self.phase[unit, d]))
        values = (coarse @ np.exp(2j * np.pi * turns).T).imag
        return float(values.min()), float(values.max())

    def times(self, x: np.ndarray) -> np.ndarray:
        """Firing times (n, n_units) of points x (n, dimension): coordinates, standardised so that each unit's go from 0 to 1.

        The range of a product of factors that depend on different x_d follows from the factors' ranges, which a grid gives; what
        lies beyond it between grid points, less than a thousandth of the range, is cut off.

        >>> x = np.random.default_rng(1).random((100, 2))
        >>> times = Manifold.drawn(20, 2, 50, 2.0, np.random.default_rng(0)).times(x)
        >>> times.shape, bool((times >= 0).all() and (times <= 1).all())
        ((100, 20), True)
        """
        n_units, dimension, _ = self.amplitude.shape
        out = np.empty((len(x), n_units))
        for unit in range(n_units):
            value, low, high = np.ones(len(x)), 1.0, 1.0
            for d in range(dimension):
                value *= self._factor(unit, d, x[:, d])
                ends = np.outer([low, high], self._range(unit, d))
                low, high = ends.min(), ends.max()
            out[:, unit] = np.clip((value - low) / (high - low), 0.0, 1.0)
        return out


@suggest_keywords
def smooth_manifolds(
    n: int = 1000,
    *,
    n_classes: int = 10,
    n_units: int = 20,
    dimension: int = 1,
    alpha: float = 2.0,
    n_steps: int = 50,
    n_modes: int = 100,
    manifold_seed: int = 0,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Spike patterns that differ in timing only: each unit fires exactly once per sample.

    Each class is a `Manifold` of `dimension` dimensions among the firing times of all units, drawn with a, b, c uniform from 0 to
    1, and each sample a point x of it that is uniform in the unit cube. The larger alpha, the smoother, and the easier to learn;
    more dimensions make it harder. A time t is in step floor(t n_steps), t = 1 in the last.

    The manifolds are those of `manifold_seed`, the points those of `seed`: to test, take another seed and the same manifold_seed.
    Fewer classes are the first ones of more.

    Parameters
    ----------
    n : samples; their classes are as balanced as can be, in an order drawn from the seed
    n_classes, n_units, dimension, n_steps, n_modes : whole numbers from 1; the source has 1,000 modes, of which those beyond 100
        make 0.6 % of the variance for alpha = 1, less for a larger one
    alpha : number >= 0
    manifold_seed, seed : whole numbers >= 0

    Returns
    -------
    spikes : (n, n_steps, n_units) uint8, one 1 per sample and unit, as `train` takes them; spikes.argmax(1) are the steps
    y : (n,) integers from 0 to n_classes - 1

    Source: Zenke & Vogels 2021, doi 10.1162/neco_a_01367

    >>> spikes, y = smooth_manifolds(6, n_classes=2, n_units=3, n_steps=20)
    >>> spikes.shape, np.bincount(y).tolist(), bool((spikes.sum(axis=1) == 1).all())
    ((6, 20, 3), [3, 3], True)
    """
    n, n_classes, n_units = whole(n, 1, "n"), whole(n_classes, 1, "n_classes"), whole(n_units, 1, "n_units")
    dimension, n_steps = whole(dimension, 1, "dimension"), whole(n_steps, 1, "n_steps")
    n_modes, alpha = whole(n_modes, 1, "n_modes"), non_negative(alpha, "alpha")
    manifold_seed, seed = whole(manifold_seed, 0, "manifold_seed"), whole(seed, 0, "seed")
    rng = _rng(seed, _SAMPLES)
    y = rng.permutation(np.arange(n) % n_classes)
    x = rng.random((n, dimension))
    step = np.empty((n, n_units), np.int64)
    for c in range(n_classes):
        manifold = Manifold.drawn(n_units, dimension, n_modes, alpha, _rng(manifold_seed, _MANIFOLDS, c))
        step[y == c] = np.minimum(manifold.times(x[y == c]) * n_steps, n_steps - 1)
    spikes = np.zeros((n, n_steps, n_units), np.uint8)
    np.put_along_axis(spikes, step[:, None, :], 1, axis=1)
    return spikes, y


def _rng(seed: int, *path: int) -> Any:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=path)))
