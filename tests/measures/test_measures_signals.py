"""Spectra and coherence of signals: SciPy's and Elephant's values, coverage of limits, known coherence and phase."""

from __future__ import annotations

from typing import Any

import neo
import numpy as np
import pytest
import quantities as pq
import scipy.signal
from elephant.spectral import multitaper_psd
from numpy.testing import assert_allclose

from nsnn_neuro import measures

pytestmark = pytest.mark.filterwarnings("ignore:The 'copy' argument")  # of Elephant's use of quantities


def wrap(x: np.ndarray) -> neo.AnalogSignal:
    return neo.AnalogSignal(x, units="mV", sampling_rate=1 * pq.kHz)


def noise(seed: int, size: int = 4000) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(2, size))


@pytest.mark.parametrize(("window", "nperseg", "noverlap"), [
    ("hann", 256, None), (("kaiser", 8.0), 255, 100),
])  # fmt: skip
def test_welch_is_scipys(window: Any, nperseg: int, noverlap: int | None) -> None:
    x, y = noise(0) + 3.0
    options = {"fs": 1000.0, "window": window, "nperseg": nperseg, "noverlap": noverlap, "detrend": False}
    spectrum = measures.signal_spectrum(wrap(x), window=window, nperseg=nperseg, noverlap=noverlap, bias=None)
    f, power = scipy.signal.welch(x - x.mean(), **options)
    np.testing.assert_allclose(spectrum.f, f, rtol=1e-12)
    np.testing.assert_allclose(spectrum.power, power, rtol=1e-9)
    assert spectrum.unit == "mV**2/Hz"
    c = measures.signal_coherence(wrap(x), wrap(y), window=window, nperseg=nperseg, noverlap=noverlap)
    _, expected = scipy.signal.coherence(x - x.mean(), y - y.mean(), **options)
    np.testing.assert_allclose(c.coherence, expected, rtol=1e-9)
    _, cross = scipy.signal.csd(x - x.mean(), y - y.mean(), **options)
    np.testing.assert_allclose(c.phase, np.angle(cross), rtol=1e-9)


def test_multitaper_is_elephants_but_for_half_the_sampling_rate() -> None:
    x = noise(1)[0]
    x -= x.mean()
    for size in (4000, 3999):
        spectrum = measures.signal_spectrum(wrap(x[:size] - x[:size].mean()), bias=None)
        _, power = multitaper_psd(wrap(x[:size] - x[:size].mean()), attach_units=False)
        inner = slice(0, -1 if size % 2 == 0 else None)
        np.testing.assert_allclose(spectrum.power[inner], power[0][inner], rtol=1e-9)
        if size % 2 == 0:
            assert power[0, -1] == pytest.approx(2 * spectrum.power[-1])
    # the integral is the variance only with the right value there
    top = measures.signal_spectrum(wrap(np.cos(np.pi * np.arange(4000)))).power
    assert top.sum() * 0.25 == pytest.approx(1, rel=2e-3)


def test_multitaper_coherence_by_its_tapers() -> None:
    x, y = noise(2)
    y = y + x
    c = measures.signal_coherence(wrap(x - x.mean()), wrap(y - y.mean()))
    tapers = scipy.signal.windows.dpss(4000, 4, Kmax=7, sym=False)
    one, two = (np.fft.rfft((z - z.mean()) * tapers) for z in (x, y))
    cross = (one.conj() * two).mean(axis=0)
    expected = np.abs(cross) ** 2 / ((np.abs(one) ** 2).mean(axis=0) * (np.abs(two) ** 2).mean(axis=0))
    np.testing.assert_allclose(c.coherence, expected, rtol=1e-9)
    np.testing.assert_allclose(c.phase, np.angle(cross), atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"window": "hann", "nperseg": 200}, {"nperseg": 500, "nw": 2.5}])
def test_limits_of_the_power_cover(options: dict[str, Any]) -> None:
    """White noise of density 2 / rate; 50 signals, all frequencies away from the ends; errors of the count of estimates."""
    inside, wide, values = [], [], []
    for seed in range(50):
        spectrum = measures.signal_spectrum(wrap(noise(seed)[0]), **options)
        ratio = 0.002 / spectrum.power[8:-8]
        inside.append(((spectrum.lower[8:-8] <= 0.002) & (spectrum.upper[8:-8] >= 0.002)).mean())
        wide.append((np.abs(spectrum.power - 0.002)[8:-8] <= 2 * spectrum.se[8:-8]).mean())
        values.append(1 / ratio)
    assert np.mean(inside) == pytest.approx(0.95, abs=0.02)
    assert np.mean(wide) > 0.9 or spectrum.n_effective < 8
    assert np.var(values) * spectrum.n_effective == pytest.approx(1, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"nperseg": 500}, {"window": "hann", "nperseg": 200}])
def test_limits_of_coherence_and_phase_cover(options: dict[str, Any]) -> None:
    """b = a + noise of variance 1: C = 1 / 2, phase 0; 50 pairs."""
    inside, phase, above = [], [], []
    for seed in range(50):
        x, y = noise(seed)
        c = measures.signal_coherence(wrap(x), wrap(x + y), **options)
        inside.append(((c.lower <= 0.5) & (c.upper >= 0.5))[4:-4].mean())
        phase.append((np.abs(c.phase) <= 2 * c.phase_se)[4:-4].mean())
        independent = measures.signal_coherence(wrap(x), wrap(y), **options)
        above.append((independent.coherence > independent.threshold)[4:-4].mean())
    assert np.mean(inside) == pytest.approx(0.95, abs=0.025)
    assert np.mean(phase) > 0.92
    assert np.mean(above) == pytest.approx(0.05, abs=0.02)


@pytest.mark.slow
def test_levels_of_coherence_at_the_ends_of_the_frequencies() -> None:
    """At 0 and at half the sampling rate transforms are real, with half the freedom: 400 independent pairs."""
    above = []
    for seed in range(400):
        x, y = noise(seed, 512)
        c = measures.signal_coherence(wrap(x), wrap(y), window="hann", nperseg=64)
        above.append((c.coherence > c.threshold)[[0, 3, -1]])
    np.testing.assert_allclose(np.mean(above, axis=0), 0.05, atol=4 * np.sqrt(0.05 * 0.95 / 400))


def test_what_taking_off_the_mean_leaves() -> None:
    """Of white noise the squared norm of taper times exp(-2 pi i f t), zero outside its segment, less its mean over all samples."""
    x, length = noise(5, 160)[0], 64
    plain, whole = (
        measures.signal_spectrum(wrap(x), nperseg=length, nw=2.5, bias=bias) for bias in (None, "mean")
    )
    tapers = scipy.signal.windows.dpss(length, 2.5, Kmax=4, sym=False)
    u = np.zeros((4, plain.f.size, 160), dtype=complex)
    u[..., :length] = tapers[:, None] * np.exp(-2j * np.pi * np.outer(plain.f, np.arange(length)) / 1000)
    expected = (np.abs(u - u.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1).mean(axis=0)
    np.testing.assert_allclose(plain.power / whole.power, expected, rtol=1e-9)
    assert expected[0] < 0.95


def test_degrees_of_freedom_next_to_the_ends() -> None:
    """Power = x^T A x of white noise x has tr(A)^2 / tr(A^2) of them, before the mean is taken off; one segment of 96 samples."""
    x = noise(6, 96)[0]
    plain, whole = (measures.signal_spectrum(wrap(x), nw=2.5, bias=bias) for bias in (None, "mean"))
    u = scipy.signal.windows.dpss(96, 2.5, Kmax=4, sym=False)[:, None] * np.exp(
        -2j * np.pi * np.outer(plain.f, np.arange(96)) / 1000
    )
    a = np.einsum("kft,kfs->fts", u, u.conj()).real
    expected = np.trace(a, axis1=1, axis2=2) ** 2 / (a**2).sum(axis=(1, 2))
    freedom = 2 * (whole.power / whole.se) ** 2 * whole.power / plain.power
    np.testing.assert_allclose(freedom, expected, rtol=0.01)
    assert expected[0] == pytest.approx(4, rel=0.01)
    assert 4.1 < expected[1] < 7.9


@pytest.mark.filterwarnings("error")
def test_few_estimates_have_wide_limits_and_a_single_boxcar_no_power_at_0() -> None:
    """Two segments that share 8 of 9 samples are about one estimate; the sum of a signal less its mean is rounding."""
    x, y = noise(8, 1000)
    c = measures.signal_coherence(wrap(x), wrap(x + 0.1 * y), window="hann", nperseg=900, noverlap=800)
    assert c.n_effective < 1.5
    np.testing.assert_array_equal([c.lower, c.upper], [0 * c.f, 1 + 0 * c.f])
    for bias in ("mean", None):
        s = measures.signal_spectrum(wrap(x), window="boxcar", nperseg=1000, bias=bias)
        assert np.isnan([s.se[0], s.lower[0], s.upper[0]]).all()
        assert np.isnan(s.power[0]) == (bias == "mean")
        assert (s.lower < s.power)[1:].all()
        assert (s.power < s.upper)[1:].all()
    s = measures.signal_spectrum(wrap(x), window="boxcar", nperseg=988)  # 1.2 % left
    assert s.upper[0] > s.power[0] > 0


def test_limits_of_the_phase() -> None:
    """Of 5 segments, where two errors hold in 85 %: 95 %; any phase for independent signals and without enough segments."""
    rng = np.random.default_rng(12)
    cover = []
    for _ in range(60):
        x, noise = rng.normal(size=(2, 300))
        c = measures.signal_coherence(wrap(x), wrap(x + noise), window="hann", nperseg=100)
        inner = slice(2, 48, 3)
        cover.append((c.phase_lower <= 0) & (c.phase_upper >= 0) & ~np.isnan(c.phase))
        assert np.isnan([c.phase_lower[[0, -1]], c.phase_se[[0, -1]]]).all()
    cover = np.array(cover)[:, inner]
    assert 0.92 < cover.mean() < 0.98
    a, b = map(wrap, rng.normal(size=(2, 300)))
    nothing = measures.signal_coherence(a, b, window="hann", nperseg=200, noverlap=100)
    weak = nothing.coherence[1:-1] < 0.5
    assert weak.any()
    assert_allclose((nothing.phase_upper - nothing.phase_lower)[1:-1][weak], 2 * np.pi)
