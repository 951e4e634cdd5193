"""Smooth manifolds: the formula by a loop, counts that tell nothing, times that tell nearly all."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from nsnn_neuro import NsnnError, datasets
from nsnn_neuro.datasets import Manifold

SMALL = {"n_classes": 5, "n_units": 10, "n_steps": 40, "n_modes": 30}


def times(spikes: np.ndarray) -> np.ndarray:
    return spikes.argmax(axis=1)


def nearest(seed: int = 0, **options: object) -> tuple[KNeighborsClassifier, np.ndarray, np.ndarray]:
    """A decoder of spike times, and what it was fitted to."""
    spikes, y = datasets.smooth_manifolds(400, seed=seed, **{**SMALL, **options})  # type: ignore[arg-type]
    return KNeighborsClassifier(1).fit(times(spikes), y), spikes, y


@pytest.mark.parametrize(("n", "classes"), [(103, 5), (3, 5)])
def test_every_unit_fires_once_and_classes_are_balanced(n: int, classes: int) -> None:
    spikes, y = datasets.smooth_manifolds(n, **{**SMALL, "n_classes": classes})  # type: ignore[arg-type]
    assert (spikes.shape, spikes.dtype, y.shape) == ((n, 40, 10), np.uint8, (n,))
    assert ((spikes == 0) | (spikes == 1)).all()
    assert (spikes.sum(axis=1) == 1).all()
    assert sorted(np.bincount(y, minlength=classes)) == sorted(
        n // classes + (k < n % classes) for k in range(classes)
    )


def test_counts_are_at_chance_and_times_far_above() -> None:
    model, spikes, y = nearest()
    new, label = datasets.smooth_manifolds(500, seed=1, **SMALL)  # type: ignore[arg-type]
    counts = KNeighborsClassifier(1).fit(spikes.sum(axis=1), y)
    assert counts.score(new.sum(axis=1), label) == 1 / 5  # all alike, so one guess for all
    assert model.score(times(new), label) > 0.95


def test_samples_and_manifolds_have_seeds_of_their_own() -> None:
    one, same = (datasets.smooth_manifolds(50, seed=3, manifold_seed=2, **SMALL) for _ in range(2))  # type: ignore[arg-type]
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a, b)
    model, *_ = nearest(manifold_seed=2)
    elsewhere = datasets.smooth_manifolds(500, seed=3, manifold_seed=4, **SMALL)  # type: ignore[arg-type]
    assert not np.array_equal(one[0], elsewhere[0][:50])
    assert model.score(times(one[0]), one[1]) > 0.9
    # the guesses for a manifold that is unrelated are as good as random, but the same along a whole manifold
    assert model.score(times(elsewhere[0]), elsewhere[1]) < 0.6


def test_fewer_classes_are_the_first_of_more() -> None:
    model, *_ = nearest(n_classes=3)
    new, label = datasets.smooth_manifolds(200, seed=1, **SMALL)  # type: ignore[arg-type]
    assert model.score(times(new)[label < 3], label[label < 3]) > 0.95


@pytest.mark.parametrize("dimension", [1, 2])
def test_coordinates_are_the_formula_scaled_to_their_range(dimension: int) -> None:
    rng = np.random.default_rng(5)
    manifold = Manifold.drawn(3, dimension, 4, 1.5, rng)
    side = np.linspace(0, 1, 201 if dimension == 1 else 101)
    x = np.stack(np.meshgrid(*[side] * dimension), axis=-1).reshape(-1, dimension)
    found = manifold.times(x)
    a, b, c = np.random.default_rng(5).random((3, 3, dimension, 4))
    for i in range(3):
        value = np.ones(len(x))
        for d in range(dimension):
            value *= sum(
                a[i, d, k - 1] / k**1.5 * np.sin(2 * np.pi * (k * b[i, d, k - 1] * x[:, d] + c[i, d, k - 1]))
                for k in range(1, 5)
            )
        standardised = (value - value.min()) / (value.max() - value.min())
        # the grid of the package is another one: extremes differ by the curvature within a step
        np.testing.assert_allclose(found[:, i], standardised, rtol=0, atol=5e-3)
        assert (found[:, i].min(), found[:, i].max()) == pytest.approx((0, 1), abs=5e-3)


def test_larger_alpha_is_smoother() -> None:
    """The mean curvature along a line, of the same modes, falls by more than half with each unit of alpha."""
    line = np.linspace(0, 1, 2001)[:, None]
    bends = []
    for alpha in (0.5, 1.0, 2.0, 3.0):
        t = Manifold.drawn(20, 1, 30, alpha, np.random.default_rng(1)).times(line)
        bends.append(np.abs(np.diff(t, 2, axis=0)).mean())
    assert bends[0] > bends[1] > 2 * bends[2] > 4 * bends[3]


def test_wrong_options_are_refused() -> None:
    for name in ("n", "n_classes", "n_units", "dimension", "n_steps", "n_modes"):
        with pytest.raises(NsnnError, match=f"{name} = .*expected a whole number, at least 1"):
            datasets.smooth_manifolds(**{name: 0})  # type: ignore[arg-type]
    for name, value in (("alpha", -1), ("alpha", np.nan), ("seed", -1), ("manifold_seed", None)):
        with pytest.raises(NsnnError, match=f"{name} = "):
            datasets.smooth_manifolds(**{name: value})  # type: ignore[arg-type]
