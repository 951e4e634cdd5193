"""Firing events on trains whose events, reliability and jitter were put in."""

import neo
import numpy as np
import quantities as pq
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binomtest, chi2

from nsnn_neuro.measures import firing_events

WINDOW = {"t_start": 0 * pq.s, "t_stop": 2 * pq.s}
TIMES = np.array([0.15, 0.4, 0.7, 1.1, 1.3, 1.8])
CHANCE = np.array([1.0, 0.9, 0.5, 0.3, 0.8, 0.95])
JITTER = np.array([1.0, 4.0, 2.0, 8.0, 3.0, 1.5]) * 1e-3


def planted(seed, n_trials, background=0.0, second=0.0):
    """Trains with one spike per event by chance, Gaussian jitter; a second one 10 ms later with chance `second`."""
    rng = np.random.default_rng(seed)
    trains = []
    for _ in range(n_trials):
        fires = rng.uniform(size=6) < CHANCE
        spikes = (TIMES + JITTER * rng.normal(size=6))[fires]
        again = spikes[rng.uniform(size=spikes.size) < second] + 0.01
        noise = rng.uniform(0, 2, rng.poisson(2 * background))
        trains.append(np.sort(np.concatenate([spikes, again, noise])))
    return trains


def test_planted_events_are_recovered():
    """400 trials: reliability within 4 binomial errors, jitter within 4 errors of a Gaussian SD, mean time within 4."""
    events = firing_events(planted(1, 400), sigma=10 * pq.ms, **WINDOW)
    assert events.time.size == 6
    error = np.sqrt(CHANCE * (1 - CHANCE) / 400)
    assert (np.abs(events.reliability - CHANCE) <= 4 * error).all()
    m = np.round(events.reliability * 400)
    assert (np.abs(events.jitter / JITTER - 1) < 4 / np.sqrt(2 * (m - 1))).all()
    assert (np.abs(events.time - TIMES) < 4 * JITTER / np.sqrt(m)).all()
    assert_allclose(events.jitter_se, events.jitter / np.sqrt(2 * (m - 1)), rtol=1e-12)
    p = events.reliability
    assert_allclose(events.reliability_se, np.sqrt(p * (1 - p) / 400), rtol=1e-12, atol=1e-12)
    assert events.fraction == 1.0
    assert (events.mean_reliability, events.median_jitter) == (p.mean(), np.median(events.jitter))
    assert ((events.start < TIMES - 0.05) & (events.stop > TIMES + 0.05)).all()


def test_numbers_of_each_event_against_a_loop():
    """Second spikes and background: statistics from the borders, one by one."""
    trains = planted(2, 60, background=1.0, second=0.4)
    events = firing_events(trains, sigma=10 * pq.ms, threshold=2.0, **WINDOW)
    assert events.time.size == 6
    inside = 0
    for k in range(6):
        own = [t[(t >= events.start[k]) & (t < events.stop[k])] for t in trains]
        first = np.array([t[0] for t in own if t.size])
        counts = np.array([t.size for t in own])
        inside += counts.sum()
        assert_allclose(events.reliability[k], (counts > 0).mean(), rtol=1e-12)
        assert_allclose(events.time[k], first.mean(), rtol=1e-12)
        assert_allclose(events.jitter[k], first.std(ddof=1), rtol=1e-9)
        assert_allclose(events.spread[k], np.concatenate(own).std(ddof=1), rtol=1e-9)
        assert_allclose(events.count[k], counts.mean(), rtol=1e-12)
        assert_allclose(events.count_variance[k], counts.var(ddof=1), rtol=1e-12)
    assert_allclose(events.fraction, inside / sum(t.size for t in trains), rtol=1e-12)


def test_a_border_needs_its_ratio():
    """Two bumps 30 ms apart with sigma 10 ms and no own jitter: peak 1, valley 2 exp(-1.125) = 0.649, ratio 1.54.

    Of three, two 24 ms apart are one event, 1.09 at their valley.
    """
    trains = [[0.5, 0.53]] * 4
    for ratio, number in ((1.5, 2), (1.6, 1)):
        events = firing_events(trains, sigma=10 * pq.ms, ratio=ratio, threshold=1.0, **WINDOW)
        assert events.time.size == number
    assert_allclose(events.count, 2.0)
    assert_array_equal(events.jitter, 0.0)
    events = firing_events([[0.5, 0.524, 0.9]] * 4, sigma=10 * pq.ms, threshold=1.0, **WINDOW)
    assert_allclose([events.count, events.time], [[2.0, 1.0], [0.5, 0.9]], rtol=1e-12)


def test_threshold_sorts_out_lone_spikes():
    trains = [[0.5], [0.5], [0.5], [0.5, 1.5]]
    assert firing_events(trains, sigma=100 * pq.ms, threshold=0.0, **WINDOW).time.size == 2
    # smoothed peak of the lone spike: 1 / (sigma sqrt(2 pi)) = 4.0 per s, mean rate of all trials 5 / 2 = 2.5 per s
    for threshold, number in ((1.5, 2), (1.7, 1)):
        events = firing_events(trains, sigma=100 * pq.ms, threshold=threshold, **WINDOW)
        assert events.time.size == number
    assert events.fraction == 0.8


def test_events_at_the_ends_and_a_spike_at_t_stop():
    trains = [neo.SpikeTrain([0.0, 1.0], units="s", t_stop=1.0)] * 3
    events = firing_events(trains, sigma=20 * pq.ms)
    assert_allclose(events.time, [0.0, 1.0], rtol=0, atol=1e-12)
    assert_array_equal(events.reliability, 1.0)
    assert (events.start[0], events.stop[-1]) == (0.0, 1.0)
    late = firing_events([[5.1], [5.1]], sigma=20 * pq.ms, t_start=5 * pq.s, t_stop=6 * pq.s)
    assert_allclose(late.time, [5.1], rtol=1e-12)


def test_limits_of_reliability_and_jitter() -> None:
    """The exact limits of a binomial fraction, where its error is 0 too, and those of a normal standard deviation."""
    trains = [[0.1, 0.5], [0.104, 0.506], [0.102], [0.101]]
    events = firing_events(trains, sigma=10 * pq.ms, t_start=0 * pq.s, t_stop=1 * pq.s)
    for k, successes in enumerate((4, 2)):
        exact = binomtest(successes, 4).proportion_ci(0.95)
        assert_allclose((events.reliability_lower[k], events.reliability_upper[k]), exact, rtol=1e-9)
    assert events.reliability_se[0] == 0
    first = np.array([0.1, 0.104, 0.102, 0.101])
    squares = ((first - first.mean()) ** 2).sum()
    expected = np.sqrt(squares / chi2.ppf([0.975, 0.025], 3))
    assert_allclose((events.jitter_lower[0], events.jitter_upper[0]), expected, rtol=1e-9)
    alone = firing_events([[0.5], []], sigma=10 * pq.ms, t_start=0 * pq.s, t_stop=1 * pq.s)
    assert np.isnan([alone.jitter_lower[0], alone.jitter_upper[0]]).all()
