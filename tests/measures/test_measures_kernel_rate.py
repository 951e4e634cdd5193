"""Instantaneous rates: Elephant's values, bins that do not depend on rounding, automatic widths and their failures."""

from __future__ import annotations

from typing import Any

import neo
import numpy as np
import pytest
import quantities as pq
from elephant import kernels
from elephant.statistics import instantaneous_rate as elephant_rate
from elephant.statistics import optimal_kernel_bandwidth
from helpers.trains import one_silence

from nsnn_neuro import measures, to_block

pytestmark = pytest.mark.filterwarnings("ignore:The 'copy' argument")  # of Elephant's use of quantities
CLASSES = {
    "gaussian": kernels.GaussianKernel,
    "rectangular": kernels.RectangularKernel,
    "triangular": kernels.TriangularKernel,
    "epanechnikov": kernels.EpanechnikovLikeKernel,
    "laplacian": kernels.LaplacianKernel,
    "exponential": kernels.ExponentialKernel,
    "alpha": kernels.AlphaKernel,
}


def block(n_trials: int = 4, n_neurons: int = 2, seed: int = 0) -> neo.Block:
    rng = np.random.default_rng(seed)
    return to_block(
        [[np.sort(rng.uniform(0, 2, rng.poisson(30))) for _ in range(n_neurons)] for _ in range(n_trials)],
        t_stop=2 * pq.s,
    )


def theirs(data: neo.Block, neuron: int, kernel: Any, **options: Any) -> np.ndarray:
    """Elephant's rate of each trial, averaged."""
    trains = [segment.spiketrains[neuron] for segment in data.segments]
    rates = elephant_rate(trains, sampling_period=2 * pq.ms, kernel=kernel, **options)
    return rates.magnitude.mean(axis=1)


@pytest.mark.parametrize(
    ("name", "center"), [("gaussian", False), *((name, True) for name in CLASSES), ("alpha", False)]
)
def test_rates_are_elephants(name: str, center: bool) -> None:
    data = block()
    rate = measures.instantaneous_rate(
        data, sigma=[20, 40] * pq.ms, kernel=name, sampling_period=2 * pq.ms, center_kernel=center
    )
    assert rate.shape == (1000, 2)
    assert rate.units == pq.Hz
    for j, sigma in enumerate((20, 40)):
        expected = theirs(data, j, CLASSES[name](sigma * pq.ms), center_kernel=center)
        np.testing.assert_allclose(rate.magnitude[:, j], expected, rtol=1e-9, atol=1e-9)


def test_border_correction_is_elephants_of_the_pooled_trials() -> None:
    data = block(1)
    rate = measures.instantaneous_rate(
        data, sigma=50 * pq.ms, sampling_period=2 * pq.ms, border_correction=True
    )
    expected = theirs(data, 0, kernels.GaussianKernel(50 * pq.ms), border_correction=True)
    np.testing.assert_allclose(rate.magnitude[:, 0], expected, rtol=1e-9)
    # of several trials the number of spikes stays
    many = block(400)
    corrected = measures.instantaneous_rate(many, sigma=50 * pq.ms, border_correction=True).magnitude[:, 0]
    assert corrected.mean() * 2 * 400 == pytest.approx(measures.as_trains(many).counts[:, 0].sum())


def test_automatic_widths_are_elephants() -> None:
    data = block()
    rate = measures.instantaneous_rate(data, sampling_period=2 * pq.ms)
    trains = measures.as_trains(data)
    for j in range(2):
        times = np.sort(trains.times[trains.neuron == j])
        width = optimal_kernel_bandwidth(times - times[0])["optw"]
        assert float(rate.array_annotations["sigma"][j]) == pytest.approx(width, rel=1e-12)
        expected = measures.instantaneous_rate(data, sigma=width * pq.s, sampling_period=2 * pq.ms)
        np.testing.assert_allclose(rate.magnitude[:, j], expected.magnitude[:, j])


def test_the_number_of_bins_and_the_area_do_not_depend_on_rounding() -> None:
    """Elephant alone: 2 bins of 0.1 s in 0.3 s, and a kernel of 1.5 bins stretched by a seventh."""
    data = to_block([[[0.15]]], t_stop=0.3 * pq.s)
    assert measures.instantaneous_rate(data, sigma=0.1 * pq.s, sampling_period=0.1 * pq.s).shape == (3, 1)
    data = to_block([[[0.5]]], t_stop=1 * pq.s)
    rate = measures.instantaneous_rate(data, sigma=1.5 * pq.ms, sampling_period=1 * pq.ms)
    assert float(rate.magnitude.sum()) * 1e-3 == pytest.approx(1, abs=1e-4)
    assert int(rate.magnitude.argmax()) == 500


def test_too_few_spikes_for_a_width() -> None:
    data = to_block([[[], [0.5], [0.1, 0.5], [0.1, 0.3, 0.32, 0.7]]], t_stop=1 * pq.s)
    with one_silence():
        rate = measures.instantaneous_rate(data).magnitude
    assert (rate[:, 0] == 0).all()
    assert np.isnan(rate[:, 1:3]).all()
    assert np.isfinite(rate[:, 3]).all()
