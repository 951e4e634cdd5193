"""Spikes on a grid, on clocks that show up to 1e9 s: functions that bin give what they give on a clock that starts at 0."""

from __future__ import annotations

import dataclasses
import itertools
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import neo
import numpy as np
import pytest
import quantities as pq
from numpy.testing import assert_allclose, assert_array_equal

from nsnn_neuro import Logistic, NsnnError, likelihood, measures, to_block

GRIDS = {"0.1 ms": 1e-4, "30 kHz": 1 / 30_000, "1 ms": 1e-3, "5 ms": 5e-3}
CLOCKS = [1e3 + 100.3, 1e6 + 0.7, 1e9 + 0.3]
LATE = "a run from 0"  # the last 200 bins of a recording from 0 to 3,000 s
TRIALS, NEURONS, BINS = 12, 2, 200
PATTERN = np.random.default_rng(7).random((TRIALS, NEURONS, BINS)) < 0.15 + 0.1 * (np.arange(BINS) // 20 % 2)
STIMULUS = np.arange(TRIALS) % 2


class Data(NamedTuple):
    """One recording on one clock: spikes at start + k width where PATTERN says so."""

    start: float
    width: float
    block: neo.Block
    signal: neo.AnalogSignal
    window: dict[str, Any]

    @property
    def repeats(self) -> list[neo.SpikeTrain]:
        """Of the first neuron."""
        return [segment.spiketrains[0] for segment in self.block.segments]


@cache
def data(clock: float | str, width: float, unit: str = "s") -> Data:
    """Spike times in seconds, or summed in milliseconds, as recording systems export them."""
    late = clock == LATE
    start = 3000.0 - BINS * width if late else float(clock)
    scale = 1.0 if unit == "s" else 1e3
    edges = (
        0.0 if late else start * scale,
        3000.0 * scale if late else start * scale + BINS * (width * scale),
    )
    block = neo.Block()
    for trial in PATTERN:
        block.segments.append(neo.Segment())
        for row in trial:
            times = start * scale + np.flatnonzero(row) * (width * scale)
            block.segments[-1].spiketrains.append(
                neo.SpikeTrain(times, units=unit, t_start=edges[0], t_stop=edges[1])
            )
    values = np.random.default_rng(1).normal(size=BINS) + PATTERN[:, 0].mean(axis=0)
    signal = neo.AnalogSignal(values, units="mV", sampling_period=width * pq.s, t_start=start * pq.s)
    window = {"t_start": start * pq.s, "t_stop": (start + BINS * width) * pq.s} if late else {}
    return Data(start, width, block, signal, window)


def w(d: Data, n: int = 1) -> Any:
    return n * d.width * pq.s


SEGMENTS = {"nperseg": 40, "noverlap": 20}


def _fit(d: Data) -> Any:
    model = likelihood.NeuronModel(dt=w(d), family=Logistic(1.0), stimulus=likelihood.Lags(1))
    found = model.data(d.repeats, d.signal, **d.window)
    return found.o, found.begins, found.free


FUNCTIONS: dict[str, Callable[[Data], Any]] = {
    "words": lambda d: measures.words(d.block, bin_width=w(d), **d.window),
    "words, aligned": lambda d: measures.words(
        d.block, bin_width=w(d, 5), saturation="count", align=(d.start + 7 * d.width * (1 + STIMULUS)) * pq.s,
        t_start=-w(d, 5), t_stop=w(d, 165)),
    "spike_counts": lambda d: measures.spike_counts(
        d.block, t_start=d.start * pq.s + w(d, 20), t_stop=d.start * pq.s + w(d, 90)),
    "latency_symbols": lambda d: measures.latency_symbols(d.block, resolution=w(d), **d.window),
    "psth": lambda d: (measures.psth(d.block, bin_width=w(d), **d.window).counts,
                       measures.psth(d.block, bin_width=w(d, 7), **d.window).counts),
    "fano_curve": lambda d: measures.fano_curve(d.block, windows=[1, 4, 50] * w(d), **d.window)[1],
    "allan_factor": lambda d: measures.allan_factor(d.block, window=w(d, 2), **d.window),
    "mean_matched_fano": lambda d: dataclasses.astuple(
        measures.mean_matched_fano(d.block, window=w(d, 20), step=w(d, 10), n_resample=3, bin_width=9.0, **d.window))[1:],
    "direct_information_rate": lambda d: measures.direct_information_rate(
        d.repeats, bin_width=w(d), word_lengths=(1, 2), n_shuffle=0, **d.window).value,
    "rate_vs_temporal": lambda d: measures.rate_vs_temporal(
        STIMULUS, d.block, neuron=0, resolutions=[50, 100] * w(d), n_shuffle=0, bias="none", **d.window)["information"].to_numpy(),
    "firing_events": lambda d: [getattr(measures.firing_events(d.repeats, sigma=w(d, 10), threshold=0.0, **d.window), name)
                                for name in ("count", "count_variance", "reliability")],
    "spike_triggered_average": lambda d: measures.spike_triggered_average(
        d.signal, d.block, before=w(d, 5), after=w(d, 5), **d.window).average,
    "coherence": lambda d: measures.coherence(d.signal, d.repeats, **SEGMENTS, **d.window)[1],
    "linear_reconstruction": lambda d: measures.linear_reconstruction(
        d.signal, d.repeats, n_folds=2, n_shuffle=0, **SEGMENTS, **d.window).reconstructed,
    "power_spectrum": lambda d: measures.power_spectrum(d.block, sampling_rate=1 / w(d), **SEGMENTS, **d.window).n,
    "noise_correlation": lambda d: measures.noise_correlation(d.block, stimulus=STIMULUS, window=w(d, 50), **d.window),
    "decode": lambda d: measures.decode(STIMULUS, d.block, bin_width=w(d, 100), n_folds=3, n_shuffle=0, **d.window).confusion,
    "rate_correlation": lambda d: measures.rate_correlation(d.block, d.block, sigma=w(d, 5), step=w(d), **d.window),
    "gamma_coincidence": lambda d: measures.gamma_coincidence(d.repeats, precision=w(d), **d.window),
    "spike_time_tiling": lambda d: measures.spike_time_tiling(d.block, dt=w(d, 2), **d.window),
    "fits": _fit,
}  # fmt: skip
# their time, not their counts, is a difference of rounded times
ROUNDED = {"spike_time_tiling", "gamma_coincidence"}


def flat(value: Any) -> np.ndarray:
    parts = value if isinstance(value, tuple | list) else [value]
    return np.concatenate([np.ravel(np.asarray(part, dtype=complex)) for part in parts])


@pytest.mark.parametrize(("name", "grid"), [*zip(FUNCTIONS, itertools.cycle(GRIDS), strict=False)])
def test_the_clock_does_not_matter(name: str, grid: str) -> None:
    width = GRIDS[grid]
    expected = flat(FUNCTIONS[name](data(0.0, width)))
    for clock, unit in [(LATE, "ms"), *zip(CLOCKS, itertools.cycle(["s", "ms"]), strict=False)]:
        d = data(clock, width, unit)
        with warnings.catch_warnings():
            warnings.simplefilter("error", measures.ResolutionWarning)
            result = flat(FUNCTIONS[name](d))
        near = 1e-12
        if name in ROUNDED:  # the borders of each spike, of the trial's duration
            near += 2 * PATTERN[0].sum() * 4 * np.finfo(float).eps * abs(d.start) / (BINS * width)
        assert_allclose(
            result, expected, rtol=near, atol=near, err_msg=f"on a clock from {clock} s, in {unit}"
        )


def test_the_counts_are_those_of_the_pattern() -> None:
    """Each spike in its own bin, on the clock from 0 that the others are compared with."""
    for width in GRIDS.values():
        d = data(0.0, width)
        assert_array_equal(measures.words(d.block, bin_width=w(d)), PATTERN)
        assert_array_equal(measures.psth(d.block, bin_width=w(d)).counts, PATTERN.sum(axis=0))
        assert_array_equal(_fit(d)[0], PATTERN[:, 0].ravel())


@pytest.mark.slow
@pytest.mark.parametrize("start", [0.0, 2700.0])
def test_one_spike_per_bin_of_a_long_recording(start: float) -> None:
    """Spikes at every step of .1 ms for 0.2 s, and one per 1/30 kHz over 100 s."""
    block = to_block([[start + np.arange(2000) * 1e-4]], t_start=start * pq.s, t_stop=(start + 0.2) * pq.s)
    assert_array_equal(measures.psth(block, bin_width=0.1 * pq.ms).counts, np.ones((1, 2000)))
    times = start + np.arange(3_000_000) / 30_000
    train = neo.SpikeTrain(times, units="s", t_start=start, t_stop=start + 100)
    number, n_bins = measures.as_repeats([train]).bins(1 / 30_000, "bin")
    assert n_bins == 3_000_000
    assert_array_equal(np.diff(number), 1)


def test_what_is_said_of_times_too_coarse() -> None:
    """Numbers near 1e9 are 1.2e-7 apart, and times are rounded by several of those: much of a bin of 5e-6 s."""
    for name in ("words", "psth", "fano_curve", "direct_information_rate", "coherence", "decode", "fits"):
        with pytest.warns(measures.ResolutionWarning, match="rounded by up to 8.9e-07 s, 18 %"):
            FUNCTIONS[name](data(1e9, 5e-6 / (100 if name == "decode" else 1)))
    block = to_block([[1e9 + np.arange(9) * 0.1]], t_start=1e9 * pq.s, t_stop=(1e9 + 1) * pq.s)
    with pytest.raises(
        NsnnError, match=r"bin_width = 2e-07 s: .* stored 2.2e-07 s apart.*subtract the recording's start"
    ):
        measures.psth(block, bin_width=0.2 * pq.us)
    with pytest.warns(
        measures.ResolutionWarning, match=r"bin_width = 1e-05 s: .* 9 % of a bin.*take wider bins"
    ):
        measures.psth(block, bin_width=10 * pq.us)


def test_single_precision_is_a_coarser_clock() -> None:
    """Times stored in float32 carry its resolution, 1.2e-7 of the largest time, into the bins."""
    grid = np.arange(1000, 2000) * 1e-3
    train = neo.SpikeTrain(grid.astype(np.float32), units="s", t_start=1.0, t_stop=2.0, dtype=np.float32)
    assert_array_equal(measures.psth(_one(train), bin_width=1 * pq.ms).counts, 1)
    late = neo.SpikeTrain(
        (1000 + grid).astype(np.float32), units="s", t_start=1001, t_stop=1002, dtype=np.float32
    )
    with pytest.warns(measures.ResolutionWarning, match=r"bin_width = 0\.001 s"):
        measures.psth(_one(late), bin_width=1 * pq.ms)
    with pytest.raises(NsnnError, match=r"stored 0\.00012 s apart"):
        measures.psth(_one(late), bin_width=0.1 * pq.ms)


def _one(train: neo.SpikeTrain) -> neo.Block:
    block = neo.Block()
    block.segments.append(neo.Segment())
    block.segments[0].spiketrains.append(train)
    return block


@pytest.mark.parametrize("clock", [0.0, CLOCKS[-1]])
def test_rates_counts_histograms_and_words_agree_on_a_spike_at_the_end(clock: float) -> None:
    """It is in the last bin of a window that ends with the recording, however that end is given, and of no other window."""
    times = clock + np.array([0.0, 0.25, 0.5, 1.0])
    block = to_block([[times]] * 2, t_start=clock * pq.s, t_stop=(clock + 1) * pq.s)
    signal = neo.AnalogSignal(np.arange(10.0), units="mV", sampling_rate=10 * pq.Hz, t_start=clock * pq.s)
    for window, number in (
        ({}, 4),
        ({"t_stop": (clock + 1) * pq.s}, 4),
        ({"t_start": (clock + 0.5) * pq.s}, 2),
        ({"t_stop": (clock + 0.5) * pq.s}, 2),
    ):
        length = 1.0 if number == 4 else 0.5
        assert_allclose(measures.firing_rate(block, **window), number / length, rtol=1e-6)
        assert_array_equal(measures.spike_counts(block, **window), number)
        assert measures.psth(block, bin_width=0.25 * pq.s, **window).counts.sum() == 2 * number
        assert measures.words(block, bin_width=0.25 * pq.s, saturation="count", **window).sum() == 2 * number
        assert measures.as_repeats(block, **window).counts.sum() == 2 * number
    first, last = (measures.words(block, bin_width=0.25 * pq.s, saturation="count")[0, 0, k] for k in (0, -1))
    assert (first, last) == (1, 1)
    model = likelihood.NeuronModel(dt=0.1 * pq.s, family=Logistic(1.0), stimulus=likelihood.Lags(1))
    # of a step that isn't there
    assert_array_equal(model.data(block, signal).o[-10:], [1, 0, 1, 0, 0, 1, 0, 0, 0, 0])
    c = measures.coherence(signal, block, nperseg=4, noverlap=2)[1]
    inside = to_block([[times - [0, 0, 0, 0.05]]] * 2, t_start=clock * pq.s, t_stop=(clock + 1) * pq.s)
    assert_allclose(c, measures.coherence(signal, inside, nperseg=4, noverlap=2)[1])
