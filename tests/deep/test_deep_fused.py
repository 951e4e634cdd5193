"""Large layers: their fast steps against those of torch, and the random numbers that they take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.with_torch import own_noise  # noqa: F401
from scipy import stats

from nsnn_neuro import Cauchy, Gaussian

torch = pytest.importorskip("torch")
deep = pytest.importorskip("nsnn_neuro.deep")
law = pytest.importorskip("nsnn_neuro.deep.law")
rng = pytest.importorskip("nsnn_neuro.deep.rng")
fused = pytest.importorskip("nsnn_neuro.deep.fused")
SHAPE = (3, 40, 6, 12, 12)  # steps, batch, channels, rows, columns: 34,560 values of a step


def drives(layout: str) -> Any:
    x = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1)) + 0.6
    if layout == "channels last":
        x = x.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, SHAPE[:2])
    if layout == "equal steps":
        x = x[:1].expand(SHAPE)
    return x.detach().requires_grad_(True)


def outcome(layer: Any, x: Any, width: float | None = None) -> tuple[Any, Any]:
    """Spikes and the gradient of a sum with fixed weights."""
    x.grad = None
    torch.manual_seed(5)
    weights = torch.randn(SHAPE, generator=torch.Generator().manual_seed(2))
    with deep.neuron.surrogate(layer, width):
        o = layer(x)
        (o * weights).sum().backward()
    return o.detach(), x.grad.clone()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "width", "layout"),
    [
        ({}, None, "contiguous"),
        ({"reset": "subtract", "beta": 0.8, "theta": 0.5}, None, "channels last"),
        ({"noisy": False, "reset_path": "detached"}, 0.7, "equal steps"),
    ],
)
def test_fast_steps_are_those_of_torch(
    options: dict[str, Any], width: float | None, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, x = deep.NoisySpike(Gaussian(0.3), **options), drives(layout)
    assert layer._law(x[0]).fusible(torch.empty_like(x.detach().contiguous()))
    spikes, slopes = outcome(layer, x, width)
    monkeypatch.setattr(law, "_FUSED", 10**9)
    expected, expected_slopes = outcome(layer, x, width)
    assert 0.2 < spikes.mean() < 0.8
    different = spikes != expected  # only where a random number is within rounding of the probability
    assert different.float().mean() < 1e-4
    if not different.any():
        torch.testing.assert_close(slopes, expected_slopes, rtol=1e-4, atol=1e-6)
    with torch.no_grad():
        torch.manual_seed(5)
        assert torch.equal(layer(x), expected)


def test_probabilities_and_densities_are_those_of_the_normal_distribution() -> None:
    z = np.linspace(-16, 16, 48_001, dtype=np.float32)
    expected = stats.norm.cdf(z.astype(float))
    np.testing.assert_allclose([fused.normal_probability(one) for one in z], expected, rtol=1e-6, atol=1e-7)
    y = np.linspace(-125, 0, 50_001, dtype=np.float32)
    np.testing.assert_allclose([fused.power_of_two(one) for one in y], 2.0 ** y.astype(float), rtol=3e-7)


def test_spikes_have_their_probabilities_and_are_independent() -> None:
    layer = deep.NoisySpike(Gaussian(0.3), beta=0.0)
    x = torch.full((50, 4, 10_000), 1.15)
    o = layer(x).numpy()
    p = stats.norm.cdf(0.15 / 0.3)
    assert abs(o.mean() - p) < 4 * np.sqrt(p * (1 - p) / o.size)
    centred = (o - p).reshape(50, -1)
    error = p * (1 - p) / np.sqrt(centred.size)
    for product in (
        centred[1:] * centred[:-1],
        centred[:, 1:] * centred[:, :-1],
        centred[:, 1000:] * centred[:, :-1000],
    ):
        assert abs(product.mean()) < 4 * error


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_numbers_of_large_steps_are_uniform(dtype: Any) -> None:
    torch.manual_seed(4)
    x = torch.zeros(3, 100_000, dtype=dtype)
    numbers = rng.uniform_of_step(x)(x)
    assert (numbers.shape, numbers.dtype) == (x.shape, dtype)
    assert stats.kstest(numbers.flatten()[:50_000].double(), "uniform").pvalue > 1e-3
    assert 0 <= numbers.min() < 1e-4
    assert 1 - 1e-4 < numbers.max() < 1
    assert abs(np.corrcoef(numbers[0, ::2], numbers[0, 1::2])[0, 1]) < 4 / np.sqrt(50_000)
    torch.manual_seed(4)
    assert torch.equal(rng.uniform_of_step(x)(x), numbers)
    one = torch.Generator().manual_seed(1)
    assert not torch.equal(rng.uniform_of_step(x, one)(x), rng.uniform_of_step(x, one)(x))


@pytest.mark.parametrize(
    ("layer", "dtype"),
    [
        (lambda: deep.NoisySpike(Cauchy(0.1)), torch.float32),
        (lambda: deep.NoisySpike(Gaussian(0.3), learn_noise=True), torch.float32),
        (lambda: deep.NoisySpike(Gaussian(0.3), beta=np.full(12, 0.5)), torch.float32),
        (lambda: deep.NoisySpike(Gaussian(0.3)), torch.float64),
    ],
)
def test_what_the_fast_steps_do_not_know_goes_to_torch(layer: Any, dtype: Any) -> None:
    x = drives("contiguous").detach().to(dtype)
    made = layer()
    assert not made._law(x[0]).fusible(x)
    assert 0 < made(x).mean() < 1
