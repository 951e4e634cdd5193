"""The direct method against binary neurons whose entropy rates are exact sums, and slow loops over words."""

import warnings
from collections import Counter
from typing import Any

import numpy as np
import pytest
import quantities as pq
from helpers.gaussians import z_of_mean
from numpy.testing import assert_allclose

from nsnn_neuro.measures import SilentNeuronWarning, direct_information_rate, word_entropies

BIN = 0.01


def binary_entropy(p):
    p = np.asarray(p)
    return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))


def keywords(letters, **more) -> dict[str, Any]:
    return {"bin_width": BIN * pq.s, "t_start": 0 * pq.s, "t_stop": letters.shape[1] * BIN * pq.s, **more}


def trains_of(letters):
    return [(np.repeat(np.arange(x.size), x) + 0.5) * BIN for x in np.asarray(letters).astype(int)]


def rate_of(letters, **more):
    return direct_information_rate(trains_of(letters), **keywords(letters, **{"n_shuffle": 0, **more}))


def independent_bins(rng, n_trials=100, n_bins=600, levels=(0.05, 0.6)):
    """Each bin's probability is drawn from two levels: the exact rates are H(mean) and mean H, per bin."""
    letters = rng.random((n_trials, n_bins)) < rng.choice(levels, n_bins)
    return letters, (binary_entropy(np.mean(levels)) - binary_entropy(levels).mean()) / BIN


def entropy_of(words):
    n = np.array(list(Counter(words).values()))
    return -(n / n.sum() * np.log2(n / n.sum())).sum()


def plain_entropies(letters, length):
    n, m = len(letters), letters.shape[1] // length
    words = [[tuple(letters[i, k * length : (k + 1) * length]) for i in range(n)] for k in range(m)]
    return entropy_of([word for w in words for word in w]), np.mean([entropy_of(w) for w in words])


def slow_entropies(letters, length):
    """Plug-in total and noise entropy, the Ma bounds and the mean number of words per time, by loops."""
    n, m = len(letters), letters.shape[1] // length
    words = [[tuple(x[k * length : (k + 1) * length]) for x in letters] for k in range(m)]
    noise = np.mean([entropy_of(w) for w in words])
    same = np.mean([[a == b for i, a in enumerate(w) for j, b in enumerate(w) if i != j] for w in words])
    other = np.mean(
        [[a == b for a in words[k] for b in words[j]] for k in range(m) for j in range(m) if k != j]
    )
    seen = np.mean([len(set(w)) for w in words])
    everything = [word for w in words for word in w]
    variance = 0.0
    for word in set(everything):
        q = np.array([w.count(word) / n for w in words])
        variance += q.var(ddof=1) / (2 * m * q.mean() * np.log(2))
    return entropy_of(everything), noise, -np.log2(other), -np.log2(same), seen, variance


@pytest.mark.parametrize(("saturation", "length"), [("count", 1), ("binary", 3)])
def test_entropies_equal_loops(length, saturation):
    counts = np.random.default_rng(0).poisson(0.5, (9, 20))
    letters = counts if saturation == "count" else np.minimum(counts, 1)
    total, noise, bound, noise_bound, seen, variance = slow_entropies(letters, length)
    more: dict[str, Any] = {"word_lengths": [length], "saturation": saturation}
    plain = word_entropies(trains_of(counts), **keywords(counts, bias="none", **more)).iloc[0] * length * BIN
    assert_allclose(plain[["total", "noise"]].astype(float), [total, noise], rtol=1e-10)
    bounds = plain[["total_bound", "noise_bound"]].astype(float)
    assert_allclose(bounds, [bound, noise_bound], rtol=1e-10)
    mm = (
        word_entropies(trains_of(counts), **keywords(counts, bias="miller-madow", **more)).iloc[0]
        * length
        * BIN
    )
    assert_allclose(mm["noise"], noise + (seen - 1) / (2 * 9 * np.log(2)), rtol=1e-10)
    assert_allclose(mm["total"], total + variance, rtol=1e-10)
    assert_allclose(mm["correction"], (seen - 1) / (2 * 9 * np.log(2)), rtol=1e-10)


def test_quadratic_extrapolation_is_exact_for_a_parabola():
    """Solves h(n) = h + a/n + b/n^2 from loops over all, halves and quarters."""
    letters = np.random.default_rng(1).random((16, 24)) < 0.4
    h = []
    for parts in (1, 2, 4):
        h.append(np.mean([plain_entropies(x, 2)[1] for x in np.split(letters, parts)]))
    x = np.array([1, 2, 4]) / 16
    expected = np.linalg.solve(np.stack([x**0, x, x**2], axis=1), h)[0]
    table = word_entropies(trains_of(letters), **keywords(letters, bias="quadratic", word_lengths=[2]))
    assert_allclose(table["noise"][0] * 2 * BIN, expected, rtol=1e-10)


def test_shuffled_correction_equals_a_loop():
    letters = (np.random.default_rng(2).random((8, 12)) < 0.4).astype(int)
    single = word_entropies(trains_of(letters), **keywords(letters, bias="quadratic", word_lengths=[1]))

    def quadratic(letters):
        more: dict[str, Any] = {"bias": "quadratic", "word_lengths": [3]}
        return word_entropies(trains_of(letters), **keywords(letters, **more))["noise"][0] * 3 * BIN

    shuffled = []
    for k in (1, 2, 3, 5):  # 4 would put one trial's letters 0 and 2 into a word
        mixed = np.stack([np.roll(letters[:, j], -k * (j % 3)) for j in range(12)], axis=1)
        shuffled.append(quadratic(mixed))
    expected = 3 * single["noise"][0] * BIN + quadratic(letters) - np.mean(shuffled)
    table = word_entropies(trains_of(letters), **keywords(letters, word_lengths=[3]))
    assert_allclose(table["noise"][0] * 3 * BIN, expected, rtol=1e-10)


def test_value_is_the_intercept_of_the_lines_of_both_entropies():
    letters, _ = independent_bins(np.random.default_rng(3), n_bins=1000)
    table = word_entropies(trains_of(letters), **keywords(letters))
    assert table["well_sampled"].all()
    total, noise = (np.polyfit(1 / table["length"], table[name], 1)[1] for name in ("total", "noise"))
    assert_allclose(rate_of(letters).value, total - noise, rtol=1e-9)


def test_error_bars_equal_leaving_parts_out_by_hand():
    """Without correction: noise entropies and word frequencies of the other stretches, or trials."""
    letters = independent_bins(np.random.default_rng(4), n_trials=24, n_bins=60)[0].astype(int)
    lengths, n_groups = np.array([1, 2]), {"time": 20, "trials": 20}
    more: dict[str, Any] = {"bias": "none", "word_lengths": lengths}
    assert word_entropies(trains_of(letters), **keywords(letters, **more))["well_sampled"].all()
    # of the intercept
    weight = np.linalg.pinv(np.stack([1 / lengths, np.ones(2)], axis=1))[1] / (lengths * BIN)
    for over, groups in n_groups.items():
        left_out = np.zeros(groups)
        for length, w in zip(lengths, weight, strict=True):
            words = letters[:, : 60 // length * length].reshape(24, -1, length)
            axis = 1 if over == "time" else 0
            group = np.arange(words.shape[axis]) * groups // words.shape[axis]
            for g in range(groups):
                rest = np.compress(group != g, words, axis=axis)
                total, noise = plain_entropies(rest.reshape(len(rest), -1), int(length))
                left_out[g] += w * (total - noise)
        expected = np.sqrt((groups - 1) / groups * ((left_out - left_out.mean()) ** 2).sum())
        e = rate_of(letters, over=over, **more)
        assert e.se_method == f"jackknife over {groups} groups of {over}"
        assert_allclose(e.se, expected, rtol=1e-9)


@pytest.mark.slow
def test_independent_bins():
    """Mean over 10 stimuli and responses against the exact rate; without a correction it lies far above."""
    rng = np.random.default_rng(5)
    values: dict[str, list[float]] = {"shuffle": [], "none": []}
    for _ in range(10):
        letters, truth = independent_bins(rng)
        for bias, found in values.items():
            found.append(rate_of(letters, bias=bias, word_lengths=[1, 2, 3, 4]).value)
    assert abs(z_of_mean(values["shuffle"], truth)) < 4
    assert z_of_mean(values["none"], truth) > 10


def test_undersampled_lengths_are_left_out_and_told():
    rng = np.random.default_rng(12)
    letters = rng.random((20, 400)) < 0.5
    table = word_entropies(trains_of(letters), **keywords(letters, word_lengths=[1, 2, 8]))
    assert table["well_sampled"].tolist() == [True, True, False]
    e = rate_of(letters, word_lengths=[1, 2, 8])
    assert_allclose(e.value, rate_of(letters, word_lengths=[1, 2]).value, rtol=1e-12)
    assert e.warning is None
    one = rate_of(letters, word_lengths=[1, 8])
    assert one.warning == "only words of 1 letters are well sampled: no extrapolation"
    assert_allclose(one.value, table["information"][0], rtol=1e-9)
    none = rate_of(letters, word_lengths=[8, 10])
    assert "no word length is well sampled with 20 trials" in str(none.warning)


def test_the_bound_of_coincidences_finds_undersampling_without_a_correction():
    """100 trials can show log2(100) = 6.6 bit of fair words of 8 letters, whose coincidences say 8."""
    letters = np.random.default_rng(16).random((100, 400)) < 0.5
    table = word_entropies(trains_of(letters), **keywords(letters, word_lengths=[1, 8], bias="none"))
    assert table["correction"].tolist() == [0.0, 0.0]
    assert table["well_sampled"].tolist() == [True, False]
    assert (table["total"] >= 0.98 * table["total_bound"]).all()
    assert abs(table["noise_bound"][1] * 8 * BIN - 8) < 0.1


def test_silent_trains_warn():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        e = rate_of(np.zeros((10, 100)), word_lengths=[1, 2])
    assert [w.category for w in caught] == [SilentNeuronWarning]
    assert np.isnan(e.value)


@pytest.mark.parametrize(("bias", "fewest"), [("shuffle", 8), ("quadratic", 8), ("miller-madow", 2)])
def test_the_fewest_trials_are_enough(bias, fewest):
    letters = np.random.default_rng(14).random((fewest, 50)) < 0.3
    assert np.isfinite(rate_of(letters, bias=bias, word_lengths=sorted({1, fewest // 2})).value)
