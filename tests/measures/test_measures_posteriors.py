"""Posterior probabilities of decoders: negative binomial against exact sums, cross-entropy information, linear discriminant."""

import numpy as np
import pytest
from helpers import recordings
from numpy.testing import assert_allclose
from scipy import stats
from scipy.special import logsumexp
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from nsnn_neuro.measures import (
    LinearDiscriminant,
    NearestTrain,
    NegativeBinomialMAP,
    PoissonMAP,
    calibration_error,
    decode,
)
from nsnn_neuro.measures.decoding.discriminant_covariance import discriminant_weights

RATES, S2 = np.array([2.0, 10.0, 25.0]), 0.25
N = np.arange(1000)
LOG_TRUE = stats.nbinom.logpmf(N, 1 / S2, 1 / (1 + S2 * RATES[:, None]))  # (stimulus, count)
TRUE = np.exp(LOG_TRUE)


def trials(rng, n, rates=RATES, s2=S2, cells=1):
    stimulus = np.repeat(np.arange(len(rates)), n)
    gain = rng.gamma(1 / s2, s2, (stimulus.size, cells))
    return rng.poisson(np.asarray(rates)[stimulus][:, None] * gain), stimulus


def exact(log_q):
    """Accuracy and cross-entropy information of log posteriors (count, stimulus), natural logarithms."""
    accuracy = TRUE[log_q.argmax(axis=1), N].sum() / 3
    return accuracy, np.log2(3) + (TRUE * log_q.T).sum() / 3 / np.log(2)


def test_poisson_posteriors_of_modulated_counts():
    """Three stimuli, f 2, 10, 25, s2 .25: accuracy .7714920, but .1399646 bit; the fit to counts with just these means."""
    x = np.array([[2], [2], [10], [10], [25], [25]])
    fitted = PoissonMAP(pseudo_count=1e-12).fit(x, np.repeat([0, 1, 2], 2))
    accuracy, information = exact(fitted.log_posterior(N[:, None].astype(float)))
    assert_allclose([accuracy, information], [0.7714920, 0.1399646], atol=1e-7)


@pytest.mark.slow
def test_negative_binomial_posteriors_of_modulated_counts():
    """The same: accuracy .7724865 and .8430964 bit with the true parameters; the fit to many trials comes near."""
    accuracy, information = exact(LOG_TRUE.T - logsumexp(LOG_TRUE.T, axis=1, keepdims=True))
    assert_allclose([accuracy, information], [0.7724865, 0.8430964], atol=1e-7)
    x, stimulus = trials(np.random.default_rng(1), 20_000)
    fitted = NegativeBinomialMAP().fit(x, stimulus)
    found = exact(fitted.log_posterior(N[:, None].astype(float)))
    assert_allclose(found, [0.7724865, 0.8430964], atol=3e-4)


def test_decode_shows_the_overconfidence_that_accuracy_hides():
    x, stimulus = trials(np.random.default_rng(2), 3000)
    poisson = decode(x, stimulus, n_shuffle=0)
    binomial = decode(x, stimulus, decoder=NegativeBinomialMAP(), n_shuffle=0)
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
    assert calibration_error(poisson.probabilities, stimulus, n_shuffle=0).value > 0.05
    assert calibration_error(binomial.probabilities, stimulus, n_shuffle=0).value < 0.03


@pytest.mark.slow
def test_negative_binomial_is_bayes_rule_written_out():
    rng = np.random.default_rng(3)
    x, stimulus = trials(rng, 30, cells=2)
    x[:, 1] = rng.poisson(4.0, 90)  # one feature without a gain
    fitted = NegativeBinomialMAP().fit(x, stimulus)
    mean = np.array([(x[stimulus == s].sum(axis=0) + 0.5) / 30 for s in range(3)])
    from nsnn_neuro.measures import modulated_poisson

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


def test_counts_without_a_gain_give_the_poisson_decoder():
    x = np.tile([[3, 5], [4, 6], [4, 5], [3, 6]], (4, 1)) + np.repeat([[0, 0], [4, 4]], 8, axis=0)
    stimulus = np.repeat([0, 1], 8)
    asked = np.random.default_rng(4).poisson(6, (9, 2)).astype(float)
    one, two = (d.fit(x, stimulus).log_posterior(asked) for d in (PoissonMAP(), NegativeBinomialMAP()))
    assert_allclose(one, two, rtol=1e-12)


def test_shares_of_stimuli_and_the_prior():
    """Nine of ten trials of one stimulus, no information: H(S) less the cross entropy is 0 with the empirical prior."""
    stimulus = np.repeat([0, 1], [180, 20])
    x = np.ones((200, 1))
    empirical = decode(x, stimulus, decoder=PoissonMAP(prior="empirical"), n_shuffle=0)
    assert abs(empirical.cross_entropy_information.value) < 0.01
    uniform = decode(x, stimulus, n_shuffle=0).cross_entropy_information.value
    entropy = -(0.9 * np.log2(0.9) + 0.1 * np.log2(0.1))
    assert_allclose(uniform, entropy - 1, atol=0.01)


def test_classifiers_of_scikit_learn_and_decoders_without_probabilities():
    x, stimulus = trials(np.random.default_rng(7), 40)
    d = decode(np.log1p(x), stimulus, decoder=LogisticRegression(), n_shuffle=0)
    assert_allclose(d.probabilities.sum(axis=1), 1)
    assert 0.4 < d.cross_entropy_information.value < 1.2
    nearest = decode(x, stimulus, decoder=KNeighborsClassifier(1), n_shuffle=0)
    assert nearest.cross_entropy_information.value == -np.inf
    assert "probability 0" in nearest.cross_entropy_information.warning

    class Plain:
        def fit(self, responses, labels):
            return self

        def predict(self, responses):
            return np.zeros(len(responses), int)

    plain = decode(x, stimulus, decoder=Plain(), n_shuffle=0)
    assert plain.cross_entropy_information is None
    assert plain.probabilities is None
    assert not hasattr(NearestTrain().fit(np.zeros((2, 2)), np.array([0, 1])), "log_posterior")


@pytest.mark.parametrize(
    ("shrinkage", "n", "p", "k"),
    [("auto", 40, 80, 2), (None, 141, 41, 16), (0.0, 60, 5, 2), (0.1, 48, 41, 16), (1.0, 300, 10, 3)],
)
def test_weights_are_those_of_scikit_learn(shrinkage, n, p, k):
    """To 1e-9, also for classes in which a feature never varies and for singular covariances."""
    rng = np.random.default_rng(9)
    x = rng.poisson(rng.uniform(0.1, 9, p), (n, p)).astype(float)
    x = x[:, np.ptp(x, axis=0) > 0]
    number = rng.permutation(np.arange(n) % k)
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage, priors=np.full(k, 1 / k))
    model.fit(x, number)
    weights, offset = discriminant_weights(x, number, shrinkage)
    theirs, zero = (model.coef_, model.intercept_)
    if k == 2:
        weights, offset = weights[1:] - weights[:1], offset[1:] - offset[:1]
    assert_allclose(weights, theirs, rtol=1e-9, atol=1e-9 * abs(theirs).max())
    assert_allclose(offset, zero, rtol=1e-9, atol=1e-9 * abs(zero).max())


def test_discriminant_posteriors_are_those_of_scikit_learn():
    rng = np.random.default_rng(10)
    for k in (2, 5):
        x, number = rng.normal(size=(60, 4)), np.arange(60) % k
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=np.full(k, 1 / k)).fit(
            x, number
        )
        fitted = LinearDiscriminant().fit(x, number)
        asked = rng.normal(size=(9, 4))
        assert_allclose(np.exp(fitted.log_posterior(asked)), model.predict_proba(asked), rtol=1e-9)


def test_retina_images_have_no_overconfident_posteriors():
    """Counts below Poisson: both decoders agree, and posteriors are not overconfident. Five cells, ten images."""
    data = np.load(recordings.folder("salamander_retina_onken") / "retina2.npz")
    counts = data["images_counts"][:10, :5].transpose(0, 2, 1).reshape(-1, 5)
    stimulus = np.repeat(np.arange(10), 30)
    poisson = decode(counts, stimulus, n_shuffle=0)
    binomial = decode(counts, stimulus, decoder=NegativeBinomialMAP(), n_shuffle=0)
    assert abs(poisson.accuracy - binomial.accuracy) < 4 * poisson.se
    assert binomial.cross_entropy_information.value > poisson.cross_entropy_information.value - 0.1
