"""Decoding against exact error sums, and against leaks."""

from dataclasses import dataclass
from enum import Enum
from functools import partial

import numpy as np
import pytest
import quantities as pq
from helpers.channels import information_bits
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm, poisson
from sklearn.naive_bayes import GaussianNB

from nsnn_neuro import to_block
from nsnn_neuro.measures import (
    LinearDiscriminant,
    NearestTrain,
    PoissonMAP,
    as_trains,
    decode,
    van_rossum,
    victor_purpura,
)

LOW, HIGH = np.array([3.0, 8.0]), np.array([6.0, 5.0])


def counts(rng, n, rates=(LOW, HIGH)):
    """n trials of Poisson counts for each stimulus."""
    stimulus = np.repeat(np.arange(len(rates)), n)
    return stimulus, rng.poisson(np.array(rates)[stimulus])


def exact_table(rates=(LOW, HIGH)):
    """(K, K) probabilities of stimulus and best guess: all count vectors of two neurons below 60, summed."""
    n = np.arange(60)
    p = np.array([np.outer(poisson.pmf(n, a), poisson.pmf(n, b)) for a, b in rates]) / len(rates)
    best = p.argmax(axis=0)
    return np.array([[one[best == k].sum() for k in range(len(rates))] for one in p])


@dataclass(frozen=True)
class KnownRates:
    """Bayes' rule with the true rates: nothing is learned, so its errors are independent."""

    rates: tuple

    def fit(self, responses, labels):
        return self

    def predict(self, responses):
        r = np.array(self.rates)
        return np.argmax(responses @ np.log(r).T - r.sum(axis=1), axis=1)


def test_accuracy_and_information_are_those_of_the_exact_sum():
    """3000 trials of each: the decoder that knows the rates, and the one that learns them."""
    rates = ((2.0, 2.0), (2.0, 5.0), (6.0, 4.0))
    table = exact_table(rates)
    for decoder in (KnownRates(rates), PoissonMAP()):
        d = decode(*counts(np.random.default_rng(1), 3000, rates), decoder=decoder, n_shuffle=0)
        assert abs(d.accuracy - np.trace(table)) < 4 * d.se
        assert abs(d.information.value - information_bits(table)) < 4 * d.information.se
        assert d.se < 0.01
        assert_allclose(d.confusion / d.confusion.sum(), table, atol=0.02)


def test_linear_discriminant_reaches_the_gaussian_optimum():
    """Two correlated Gaussians: accuracy Phi(d'/2), d'^2 the linear Fisher information times ds^2."""
    rng = np.random.default_rng(2)
    covariance, apart = np.array([[1.0, 0.8], [0.8, 1.0]]), np.array([1.0, 0.0])
    stimulus = np.repeat([0, 1], 3000)
    r = rng.normal(size=(6000, 2)) @ np.linalg.cholesky(covariance).T + stimulus[:, None] * apart
    best = norm.cdf(np.sqrt(apart @ np.linalg.solve(covariance, apart)) / 2)
    for shrinkage in ("auto", None, 0.01):
        d = decode(stimulus, r, decoder=LinearDiscriminant(shrinkage), n_shuffle=0)
        assert abs(d.accuracy - best) < 4 * d.se
    worse = decode(stimulus, r, decoder=LinearDiscriminant(1.0), n_shuffle=0)
    assert worse.accuracy < best - 4 * worse.se


def test_an_empirical_prior_wins_where_counts_tell_little():
    """9 of 10 trials are of one stimulus; what the Poisson decoder gets right is an exact sum."""
    rng = np.random.default_rng(3)
    stimulus = np.repeat([0, 1], [2700, 300])
    r = rng.poisson(np.where(stimulus, 5.0, 4.0))[:, None]
    n = np.arange(60)
    p = np.array([0.9 * poisson.pmf(n, 4), 0.1 * poisson.pmf(n, 5)])
    d = decode(stimulus, r, decoder=PoissonMAP(prior="empirical"), n_shuffle=0)
    assert abs(d.accuracy - p.max(axis=0).sum()) < 4 * d.se
    assert d.chance == 0.9
    d = decode(stimulus, r, decoder=LinearDiscriminant(prior="empirical"), n_shuffle=0)
    assert d.accuracy > 0.89


@pytest.mark.slow
def test_error_bars_cover():
    """100 repeats of 2 x 50 trials."""
    table = exact_table()
    rng = np.random.default_rng(4)
    found = [decode(*counts(rng, 50), n_shuffle=0) for _ in range(100)]
    hits = [abs(d.accuracy - np.trace(table)) < 2 * d.se for d in found]
    assert np.mean(hits) >= 0.9
    hits = [abs(d.information.value - information_bits(table)) < 2 * d.information.se for d in found]
    assert np.mean(hits) >= 0.9


@pytest.mark.parametrize("decoder", [PoissonMAP(), LinearDiscriminant()])
def test_no_information_gives_chance_even_with_many_features(decoder):
    """80 features, 40 trials: both are nearly always right in their training trials; 20 repeats."""
    rng = np.random.default_rng(5)
    stimulus = np.repeat([0, 1], 20)
    accuracy = []
    for k in range(20):
        r = rng.poisson(2.0, (40, 80)).astype(float)
        accuracy.append(decode(stimulus, r, decoder=decoder, n_shuffle=0, seed=k).accuracy)
    assert (decoder.fit(r, stimulus).predict(r) == stimulus).mean() > 0.9
    assert abs(np.mean(accuracy) - 0.5) < 4 * np.std(accuracy) / np.sqrt(20)


def test_every_trial_is_predicted_by_a_decoder_that_has_not_seen_it():
    """A decoder that remembers: it knows training trials by heart and answers 0 otherwise."""
    seen: list[tuple[set, set]] = []

    class Memory:
        def fit(self, responses, labels):
            # no return: sklearn's way
            self.known = {r: s for r, s in zip(responses[:, 0], labels, strict=True)}

        def predict(self, responses):
            seen.append((set(self.known), set(responses[:, 0])))
            return np.array([self.known.get(r, 0) for r in responses[:, 0]])

    stimulus = np.tile([0, 1], 15)
    memory = Memory()
    d = decode(stimulus, np.arange(30.0), decoder=memory, n_folds=3, n_shuffle=0)
    assert not vars(memory)  # the caller's own stays blank
    assert_array_equal(d.predictions, np.zeros(30))
    assert len(seen) == 3
    assert all(not known & asked for known, asked in seen)
    assert set.union(*(asked for _, asked in seen)) == set(range(30))
    assert all(len(asked) == 10 and sum(stimulus[int(r)] for r in asked) == 5 for _, asked in seen)


def timed_block(rng, n):
    """Two neurons; the second's spike comes at 0.212 s or 0.262 s, the first tells nothing."""
    stimulus = np.repeat(["early", "late"], n)
    trials = [
        [np.sort(rng.uniform(0, 0.5, rng.poisson(1))), [0.212 + 0.05 * (s == "late") + 0.005 * rng.normal()]]
        for s in stimulus
    ]
    return to_block(trials, t_stop=0.5 * pq.s), stimulus


def test_timing_is_decoded_from_bins_and_from_trains_but_not_from_counts():
    block, stimulus = timed_block(np.random.default_rng(9), 30)
    assert decode(stimulus, block, n_shuffle=0).accuracy < 0.75
    for decoder, options in (
        (PoissonMAP(), {"bin_width": 25 * pq.ms}),
        (LinearDiscriminant(), {"bin_width": 25 * pq.ms}),
        (NearestTrain(partial(victor_purpura, cost=100 * pq.Hz)), {}),
        (NearestTrain(partial(van_rossum, tau=10 * pq.ms)), {}),
    ):
        d = decode(stimulus, block, decoder=decoder, n_shuffle=9, **options)
        assert d.accuracy > 0.85
        assert d.p == 0.1
        assert set(d.predictions) == {"early", "late"}


def test_a_block_gives_its_counts_and_bins():
    block, stimulus = timed_block(np.random.default_rng(10), 10)
    from_block = decode(stimulus, block, n_shuffle=0)
    by_hand = decode(stimulus, as_trains(block).counts, n_shuffle=0)
    assert_array_equal(from_block.predictions, by_hand.predictions)
    edges = np.arange(6) / 10
    binned = np.array(
        [np.concatenate([np.histogram(t.magnitude, edges)[0] for t in s.spiketrains]) for s in block.segments]
    )
    by_hand = decode(stimulus, binned, n_shuffle=0)
    assert_array_equal(
        decode(stimulus, block, bin_width=100 * pq.ms, n_shuffle=0).predictions, by_hand.predictions
    )
    cropped = decode(stimulus, block, t_stop=0.235 * pq.s, n_shuffle=0)
    assert cropped.accuracy > from_block.accuracy  # the late spike is gone


def test_nearest_train_against_loops():
    rng = np.random.default_rng(11)
    block, stimulus = timed_block(rng, 6)
    d = NearestTrain().distances(as_trains(block))
    for i in range(12):
        for j in range(12):
            pairs = zip(block.segments[i].spiketrains, block.segments[j].spiketrains, strict=True)
            expected = sum(victor_purpura([a, b], cost=50 * pq.Hz)[0, 1] for a, b in pairs)
            assert_allclose(d[i, j], expected, atol=1e-9)
    fitted = NearestTrain().fit(d[:10, :10], stimulus[:10])
    assert_array_equal(fitted.predict(d[10:, :10]), stimulus[d[10:, :10].argmin(axis=1)])
    # ties are broken by votes, then by the mean
    fitted = NearestTrain().fit(np.zeros((5, 5)), np.array([0, 0, 1, 1, 1]))
    distances = np.array([[1.0, 5, 1, 1, 9], [1, 2, 1, 5, 5], [1, 9, 1, 2, 2]])
    assert_array_equal(fitted.predict(distances), [1, 0, 1])


def test_poisson_map_is_bayes_rule_written_out():
    rng = np.random.default_rng(12)
    stimulus, r = counts(rng, 20)
    r, stimulus = r[:33], stimulus[:33]
    asked = rng.poisson(5, (50, 2))
    for prior in ("uniform", "empirical"):
        mean = np.array([(r[stimulus == s].sum(axis=0) + 0.5) / (stimulus == s).sum() for s in (0, 1)])
        log_p = poisson.logpmf(asked[:, None], mean).sum(axis=2)
        log_p += np.log([20 / 33, 13 / 33]) if prior == "empirical" else 0
        found = PoissonMAP(prior=prior).fit(r, stimulus).predict(asked)
        assert_array_equal(found, log_p.argmax(axis=1))


def test_features_that_never_vary_are_no_trouble():
    stimulus, r = counts(np.random.default_rng(13), 30)
    constant = np.concatenate([r, np.full((60, 1), 7), np.zeros((60, 1))], axis=1)
    for decoder in (PoissonMAP(), LinearDiscriminant()):
        plain = decode(stimulus, r, decoder=decoder, n_shuffle=0)
        with_constant = decode(stimulus, constant, decoder=decoder, n_shuffle=0)
        assert abs(plain.accuracy - with_constant.accuracy) < plain.se
        flat = decode(stimulus, np.ones((60, 2)), decoder=decoder, n_shuffle=9)
        assert flat.accuracy == 0.5
        assert flat.information.value <= 0
        assert flat.p == 1.0


def test_all_right_is_not_certain():
    d = decode(np.repeat([0, 1], 30), np.repeat([[0], [40]], 30, axis=0), n_shuffle=0)
    assert d.accuracy == 1.0 == float(d)
    assert 0.01 < d.se < 0.03
    assert d.information.value == 1.0  # no more than the stimulus' entropy
    assert d.information.se > 0


S, R = counts(np.random.default_rng(0), 10)


class Side(Enum):
    LEFT = "left"
    RIGHT = "right"


@pytest.mark.parametrize(
    "names",
    [[22.5, 90.0], [("a", 1.5), ("b", 2.5)], [Side.LEFT, Side.RIGHT]],
    ids=["floats", "tuples", "Enum"],
)
def test_labels_of_all_kinds_give_the_same_decoding(names):
    """Classifiers of scikit-learn refuse floats and objects; only the names of the stimuli differ."""
    labels = np.empty(len(S), dtype=object)
    labels[:] = [names[k] for k in S]
    labels = labels.astype(float) if isinstance(names[0], float) else labels
    expected = decode(S, R, decoder=GaussianNB(), n_shuffle=5)
    found = decode(labels, R, decoder=GaussianNB(), n_shuffle=5)
    assert (found.accuracy, found.p, str(found.information)) == (
        expected.accuracy,
        expected.p,
        str(expected.information),
    )
    assert found.labels.tolist() == names
    assert found.predictions.tolist() == [names[k] for k in expected.predictions]
