"""Decoders side by side, and their posteriors: against `decode`, exact sums, scikit-learn, and shuffles without information."""

import numpy as np
import pandas as pd
import pytest
import quantities as pq
from numpy.testing import assert_allclose
from scipy import stats
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from scipy.stats import kstest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from nsnn_neuro import to_block
from nsnn_neuro.measures import (
    LinearDiscriminant,
    NearestTrain,
    NegativeBinomialMAP,
    PoissonMAP,
    decode,
    decoder_information,
    modulated_poisson,
    mutual_information,
)
from nsnn_neuro.measures.decoding.decoder_information import rescaled

RATES, S2 = np.array([2.0, 10.0, 25.0]), 0.25
N = np.arange(1000)
TRUE = stats.nbinom.pmf(N, 1 / S2, 1 / (1 + S2 * RATES[:, None]))  # (stimulus, count)


def trials(rng, n, cells=1):
    """n trials of each of three stimuli: counts with a gain that varies over trials, by itself in each cell."""
    stimulus = np.repeat(np.arange(3), n)
    gain = rng.gamma(1 / S2, S2, (stimulus.size, cells))
    return rng.poisson(RATES[stimulus][:, None] * gain), stimulus


def exact(log_q):
    """Accuracy and cross-entropy information of log posteriors (count, stimulus), natural logarithms."""
    accuracy = TRUE[log_q.argmax(axis=1), N].sum() / 3
    return accuracy, np.log2(3) + (TRUE * log_q.T).sum() / 3 / np.log(2)


def exact_rescaled():
    """Bits of posteriors of the Poisson law rescaled by the best power, and this power."""
    log_q = N[:, None] * np.log(RATES) - RATES

    def bits(power):
        return exact(power * log_q - logsumexp(power * log_q, axis=1, keepdims=True))[1]

    best = minimize_scalar(lambda b: -bits(b), bounds=(0, 2), method="bounded").x
    return bits(best), best


def test_rows_are_those_of_decode():
    counts, stimulus = trials(np.random.default_rng(1), 20, cells=2)
    decoders = {"LDA": LinearDiscriminant(), "NB": NegativeBinomialMAP(), "SVC": SVC(random_state=0)}
    table = decoder_information(stimulus, counts, decoders=decoders, n_folds=4, n_shuffle=9, seed=3)
    assert table.decoder.tolist() == ["LDA"] * 3 + ["NB"] * 3 + ["SVC"]
    assert table.source.tolist() == ["confusion", "posterior", "rescaled"] * 2 + ["confusion"]
    for name, decoder in decoders.items():
        one = decode(stimulus, counts, decoder=decoder, n_folds=4, n_shuffle=9, seed=3)
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
    scaled, _ = exact_rescaled()
    assert 0.7 < scaled < 0.8430964
    counts, stimulus = trials(np.random.default_rng(2), 4000)
    table = decoder_information(stimulus, counts, decoders={"P": PoissonMAP()}, n_shuffle=0).set_index(
        "source"
    )
    for source, expected in (("posterior", 0.1399646), ("rescaled", scaled)):
        assert abs(table.raw[source] - expected) < 4 * table.se[source]
    assert "overconfident" in table.warning["posterior"]
    assert table[["null_mean", "p", "p_all"]].isna().all(axis=None)


def test_the_power_is_the_best_one_of_other_trials():
    best = exact_rescaled()[1]
    counts, stimulus = trials(np.random.default_rng(3), 200)
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


@pytest.mark.parametrize("bias", ["none", "grassberger"])
def test_other_corrections_are_those_of_mutual_information(bias):
    counts, stimulus = trials(np.random.default_rng(4), 20)
    table = decoder_information(stimulus, counts, decoders={"P": PoissonMAP()}, bias=bias, n_shuffle=0)
    predicted = decode(stimulus, counts, n_shuffle=0).predictions
    expected = mutual_information(stimulus, predicted, bias=bias, n_shuffle=0)
    assert_allclose(table.raw[0], expected.value)
    assert table.correction[0] == bias


def test_default_decoders_and_blocks():
    rng = np.random.default_rng(5)
    stimulus = np.repeat([0, 1], 10)
    block = to_block([[np.sort(rng.random(rng.poisson(3 + 15 * s)))] for s in stimulus], t_stop=1 * pq.s)
    table = decoder_information(stimulus, block, n_shuffle=0)
    names = ["linear discriminant", "Poisson", "negative binomial", "kernel"]
    assert table.decoder.unique().tolist() == names
    assert (table.raw > 0.5).all()
    both = {"train": NearestTrain(), "P": PoissonMAP()}
    table = decoder_information(stimulus, block, decoders=both, n_shuffle=0)
    assert table.decoder.tolist() == ["train", "P", "P", "P"]
    table = decoder_information(stimulus, rng.normal(size=(20, 2)), n_shuffle=0)
    assert table.decoder.unique().tolist() == ["linear discriminant", "Gaussian naive Bayes", "kernel"]


@pytest.mark.slow
def test_smallest_p_of_all_rows_is_uniform_without_information():
    """25 experiments: p_all of the best row; its own p is 0.1 in more than a tenth of them."""
    rng = np.random.default_rng(6)
    decoders = {"LDA": LinearDiscriminant(), "P": PoissonMAP()}
    rows = []
    for k in range(25):
        counts, stimulus = rng.poisson(4.0, (40, 3)), np.arange(40) % 2
        table = decoder_information(stimulus, counts, decoders=decoders, n_folds=2, n_shuffle=9, seed=k)
        rows.append(table.loc[table.p.idxmin(), ["p", "p_all"]])
    best = pd.DataFrame(rows).astype(float)
    steps = best.p_all - rng.uniform(0, 0.1, 25)
    assert kstest(steps, "uniform").pvalue > 1e-3
    assert (best.p < 0.11).mean() > 0.14


def test_poisson_posteriors_of_modulated_counts():
    """Three stimuli, f 2, 10, 25, s2 .25: accuracy .7714920, but .1399646 bit; the fit to counts with just these means."""
    x = np.array([[2], [2], [10], [10], [25], [25]])
    fitted = PoissonMAP(pseudo_count=1e-12).fit(x, np.repeat([0, 1, 2], 2))
    accuracy, information = exact(fitted.log_posterior(N[:, None].astype(float)))
    assert_allclose([accuracy, information], [0.7714920, 0.1399646], atol=1e-7)


def test_decode_shows_the_overconfidence_that_accuracy_hides():
    x, stimulus = trials(np.random.default_rng(2), 3000)
    poisson = decode(stimulus, x, n_shuffle=0)
    binomial = decode(stimulus, x, decoder=NegativeBinomialMAP(), n_shuffle=0)
    assert abs(poisson.accuracy - 0.7714920) < 4 * poisson.se
    assert abs(binomial.accuracy - 0.7724865) < 4 * binomial.se
    for d, truth in ((poisson, 0.1399646), (binomial, 0.8430964)):
        estimate = d.cross_entropy_information
        assert abs(estimate.value - truth) < 4 * estimate.se
        assert estimate.se < 0.04
        assert estimate.unit == "bit"
    assert "overconfident" in poisson.cross_entropy_information.warning
    assert binomial.cross_entropy_information.warning is None
    assert "of the posteriors 0.8" in str(binomial)


@pytest.mark.slow
def test_negative_binomial_is_bayes_rule_written_out():
    rng = np.random.default_rng(3)
    x, stimulus = trials(rng, 30, cells=2)
    x[:, 1] = rng.poisson(4.0, 90)  # one feature without a gain
    fitted = NegativeBinomialMAP().fit(x, stimulus)
    mean = np.array([(x[stimulus == s].sum(axis=0) + 0.5) / 30 for s in range(3)])
    a = modulated_poisson(stimulus, x, bias=None).gain_variance
    asked = rng.poisson(8, (20, 2))
    log_p = np.zeros((20, 3))
    for j in range(2):
        if a[j] > 0:
            log_p += stats.nbinom.logpmf(asked[:, [j]], 1 / a[j], 1 / (1 + a[j] * mean[:, j]))
        else:
            log_p += stats.poisson.logpmf(asked[:, [j]], mean[:, j])
    expected = log_p - np.log(np.exp(log_p).sum(axis=1, keepdims=True))
    assert_allclose(fitted.log_posterior(asked.astype(float)), expected, atol=1e-8)


def test_shares_of_stimuli_and_the_prior():
    """Nine of ten trials of one stimulus, no information: H(S) less the cross entropy is 0 with the empirical prior."""
    stimulus = np.repeat([0, 1], [180, 20])
    x = np.ones((200, 1))
    empirical = decode(stimulus, x, decoder=PoissonMAP(prior="empirical"), n_shuffle=0)
    assert abs(empirical.cross_entropy_information.value) < 0.01
    uniform = decode(stimulus, x, n_shuffle=0).cross_entropy_information.value
    entropy = -(0.9 * np.log2(0.9) + 0.1 * np.log2(0.1))
    assert_allclose(uniform, entropy - 1, atol=0.01)


def test_classifiers_of_scikit_learn_and_decoders_without_probabilities():
    x, stimulus = trials(np.random.default_rng(7), 40)
    d = decode(stimulus, np.log1p(x), decoder=LogisticRegression(), n_shuffle=0)
    assert_allclose(d.probabilities.sum(axis=1), 1)
    assert 0.4 < d.cross_entropy_information.value < 1.2
    nearest = decode(stimulus, x, decoder=KNeighborsClassifier(1), n_shuffle=0)
    assert nearest.cross_entropy_information.value == -np.inf
    assert "probability 0" in nearest.cross_entropy_information.warning

    class Plain:
        def fit(self, responses, labels):
            return self

        def predict(self, responses):
            return np.zeros(len(responses), int)

    plain = decode(stimulus, x, decoder=Plain(), n_shuffle=0)
    assert plain.cross_entropy_information is None
    assert plain.probabilities is None
    assert not hasattr(NearestTrain().fit(np.zeros((2, 2)), np.array([0, 1])), "log_posterior")


@pytest.mark.parametrize(
    ("shrinkage", "n", "p", "k"), [("auto", 40, 80, 2), (None, 141, 41, 16), (0.1, 48, 41, 16)]
)
def test_discriminant_posteriors_are_those_of_scikit_learn(shrinkage, n, p, k):
    """Also for classes in which a feature never varies."""
    rng = np.random.default_rng(9)
    x = rng.poisson(rng.uniform(0.1, 9, p), (n, p)).astype(float)
    x = x[:, np.ptp(x, axis=0) > 0]
    number = rng.permutation(np.arange(n) % k)
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage, priors=np.full(k, 1 / k))
    expected = model.fit(x, number).predict_proba(x)
    fitted = LinearDiscriminant(shrinkage).fit(x, number)
    assert_allclose(np.exp(fitted.log_posterior(x)), expected, rtol=1e-7, atol=1e-12)
