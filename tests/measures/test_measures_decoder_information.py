"""Decoders side by side: against `decode`, exact sums, and shuffles without information."""

import numpy as np
import pandas as pd
import pytest
import quantities as pq
from numpy.testing import assert_allclose
from scipy import stats
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from scipy.stats import kstest
from sklearn.svm import SVC

from nsnn_neuro import to_block
from nsnn_neuro.measures import (
    LinearDiscriminant,
    NearestTrain,
    NegativeBinomialMAP,
    PoissonMAP,
    decode,
    decoder_information,
    mutual_information,
)
from nsnn_neuro.measures.decoding.decoder_information import rescaled

RATES, GAIN_VARIANCE = np.array([2.0, 10.0, 25.0]), 0.25


def trials(rng, n, cells=1):
    """n trials of each of three stimuli: counts with a gain that varies over trials, by itself in each cell."""
    stimulus = np.repeat(np.arange(3), n)
    gain = rng.gamma(1 / GAIN_VARIANCE, GAIN_VARIANCE, (stimulus.size, cells))
    return stimulus, rng.poisson(RATES[stimulus][:, None] * gain)


def exact():
    """Bits by exact sums: of the counts, of posteriors of the Poisson law, and of these rescaled by the best power."""
    n = np.arange(1000)
    p = stats.nbinom.pmf(n, 1 / GAIN_VARIANCE, 1 / (1 + GAIN_VARIANCE * RATES[:, None]))
    true = p / p.sum(axis=0).clip(1e-300)
    log_q = n * np.log(RATES)[:, None] - RATES[:, None]

    def bits(power):
        scaled = power * log_q
        return np.log2(3) + (p * (scaled - logsumexp(scaled, axis=0))).sum() / 3 / np.log(2)

    best = minimize_scalar(lambda b: -bits(b), bounds=(0, 2), method="bounded").x
    return np.log2(3) + (p * np.log2(true.clip(1e-300))).sum() / 3, bits(1.0), bits(best), best


def test_rows_are_those_of_decode():
    stimulus, counts = trials(np.random.default_rng(1), 20, cells=2)
    decoders = {"LDA": LinearDiscriminant(), "NB": NegativeBinomialMAP(), "SVC": SVC(random_state=0)}
    table = decoder_information(stimulus, counts, decoders=decoders, n_folds=4, n_shuffle=9, seed=3)
    assert table.decoder.tolist() == ["LDA"] * 3 + ["NB"] * 3 + ["SVC"]
    assert table.source.tolist() == ["confusion", "posterior", "rescaled"] * 2 + ["confusion"]
    for name, decoder in decoders.items():
        one = decode(counts, stimulus, decoder=decoder, n_folds=4, n_shuffle=9, seed=3)
        rows = table[table.decoder == name].set_index("source")
        for source, estimate in (
            ("confusion", one.information),
            ("posterior", one.cross_entropy_information),
        ):
            if estimate is not None:
                assert rows.raw[source] == estimate.value
        assert rows.loc["confusion", ["information", "se"]].tolist() == [
            one.information.gain,
            one.information.gain_se,
        ]
        assert_allclose(rows.null_mean["confusion"], one.information.null_mean)
        bounds = rows[rows.index != "confusion"]
        # posteriors of shuffled stimuli are below zero: nothing is taken off
        assert_allclose(bounds.information, bounds.raw - bounds.null_mean.clip(lower=0), atol=1e-15)
        assert rows.p["confusion"] == one.information.p
    assert (table.n == 60).all()
    assert (table.p_all >= table.p).all()
    assert (table.p_all == 0.1).all()


def test_rescaling_repairs_posteriors_that_are_too_sure():
    """4000 trials per stimulus: all three rows of the Poisson decoder against exact sums, four errors."""
    truth, plain, scaled, _ = exact()
    assert plain < 0.2 < 0.7 < scaled < truth
    stimulus, counts = trials(np.random.default_rng(2), 4000)
    table = decoder_information(stimulus, counts, decoders={"P": PoissonMAP()}, n_shuffle=0).set_index(
        "source"
    )
    for source, expected in (("posterior", plain), ("rescaled", scaled)):
        assert abs(table.raw[source] - expected) < 4 * table.se[source]
    assert "overconfident" in table.warning["posterior"]
    assert table[["null_mean", "p", "p_all"]].isna().all(axis=None)


def test_the_power_is_the_best_one_of_other_trials():
    best = exact()[3]
    stimulus, counts = trials(np.random.default_rng(3), 200)
    log_q = counts * np.log(RATES) - RATES
    fold = np.arange(600) % 2
    out = rescaled(log_q, stimulus, fold)
    assert_allclose(logsumexp(out, axis=1), 0, atol=1e-12)
    for k in (0, 1):
        inside = fold == k

        def loss(b, others=~inside):
            scaled = b * log_q[others]
            own = scaled[np.arange(others.sum()), stimulus[others]]
            return (logsumexp(scaled, axis=1) - own).sum()

        power = minimize_scalar(loss, bounds=(0, 20), method="bounded", options={"xatol": 1e-9}).x
        difference = log_q[inside, 0] - log_q[inside, 2]
        assert_allclose(out[inside, 0] - out[inside, 2], power * difference, rtol=1e-4)
        assert abs(power - best) < 0.1


def test_a_perfect_decoder_and_probabilities_of_zero_have_finite_powers():
    log_q = np.where(np.eye(2)[[0, 1] * 10] > 0, 0.0, -np.inf)
    number = np.array([0, 1] * 10)
    out = rescaled(log_q, number, np.arange(20) % 4)
    assert_allclose(out[np.arange(20), number], 0, atol=1e-9)
    number[4] = 1  # one trial had probability 0
    out = rescaled(log_q, number, np.arange(20) % 4)
    assert np.isfinite(out[np.arange(20), number]).all()


@pytest.mark.parametrize("bias", ["none", "panzeri-treves", "grassberger"])
def test_other_corrections_are_those_of_mutual_information(bias):
    stimulus, counts = trials(np.random.default_rng(4), 20)
    table = decoder_information(stimulus, counts, decoders={"P": PoissonMAP()}, bias=bias, n_shuffle=0)
    predicted = decode(counts, stimulus, n_shuffle=0).predictions
    expected = mutual_information(stimulus, predicted, bias="plugin" if bias == "none" else bias, n_shuffle=0)
    assert_allclose(table.raw[0], expected.value)
    assert table.correction[0] == bias


def test_default_decoders_and_blocks():
    rng = np.random.default_rng(5)
    stimulus = np.repeat([0, 1], 10)
    block = to_block([[np.sort(rng.random(rng.poisson(3 + 15 * s)))] for s in stimulus], t_stop=1 * pq.s)
    table = decoder_information(stimulus, block, n_shuffle=0)
    assert table.decoder.unique().tolist() == [
        "linear discriminant",
        "Poisson",
        "negative binomial",
        "kernel",
    ]
    assert (table.raw > 0.5).all()
    both = {"train": NearestTrain(), "P": PoissonMAP()}
    table = decoder_information(stimulus, block, decoders=both, n_shuffle=0)
    assert table.decoder.tolist() == ["train", "P", "P", "P"]
    table = decoder_information(stimulus, rng.normal(size=(20, 2)), n_shuffle=0)
    assert table.decoder.unique().tolist() == ["linear discriminant", "Gaussian naive Bayes", "kernel"]


@pytest.mark.slow
def test_smallest_p_of_all_rows_is_uniform_without_information():
    """40 experiments: p_all of the best row; its own p is 0.1 in more than a tenth of them."""
    rng = np.random.default_rng(6)
    decoders = {"LDA": LinearDiscriminant(), "P": PoissonMAP()}
    rows = []
    for k in range(40):
        counts, stimulus = rng.poisson(4.0, (40, 3)), np.arange(40) % 2
        table = decoder_information(stimulus, counts, decoders=decoders, n_shuffle=9, seed=k)
        rows.append(table.loc[table.p.idxmin(), ["p", "p_all"]])
    best = pd.DataFrame(rows).astype(float)
    steps = best.p_all - rng.uniform(0, 0.1, 40)
    assert kstest(steps, "uniform").pvalue > 1e-3
    assert (best.p < 0.11).mean() > 0.14
