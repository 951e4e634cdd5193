"""Trials aligned by their spikes: known shifts are recovered, noise is told apart, and what becomes of codes in time."""

import warnings
from itertools import permutations

import numpy as np
import pytest
import quantities as pq

from nsnn_neuro import NsnnError, to_block, warp
from nsnn_neuro.measures import fit_warp, mutual_information, words

OPTIONS = {"sigma": 15 * pq.ms, "max_shift": 150 * pq.ms}


def responses(late, stretch=1.0, n_neurons=10, seed=1, peak=True, base=8.0):
    """Trials of 1 s: Poisson spikes, and three spikes on average near a time of each neuron that is late, or stretched."""
    rng = np.random.default_rng(seed)
    trials = []
    for by, factor in zip(late, np.broadcast_to(stretch, len(late)), strict=True):
        trial = []
        for j in range(n_neurons):
            spikes = by + factor * (0.3 + 0.04 * j + 0.02 * rng.normal(size=rng.poisson(3 * peak)))
            trial.append(np.sort(np.append(spikes, rng.uniform(0, 1, rng.poisson(base)))))
        trials.append([train[(train > 0) & (train < 1)] for train in trial])
    return to_block(trials, t_stop=1 * pq.s)


@pytest.mark.slow
def test_known_latencies_and_stretches_are_recovered():
    rng = np.random.default_rng(2)
    late = rng.uniform(-0.1, 0.1, 40)
    block = responses(late)
    fit = fit_warp(block, **OPTIONS)
    assert np.corrcoef(late, fit.table["shift"])[0, 1] > 0.98
    assert abs(np.median(fit.table["shift"])) < 1e-12
    assert set(fit.table.stretch) == {1.0}
    assert fit.gain > 0.1
    assert fit.p == pytest.approx(1 / 101)
    for before, after, by in zip(block.segments, fit.block.segments, fit.table["shift"], strict=True):
        times = before.spiketrains[3].magnitude - by
        np.testing.assert_allclose(after.spiketrains[3].magnitude, times, atol=1e-12)
    factor = np.exp(rng.uniform(-0.3, 0.3, 40))
    table = fit_warp(responses(late / 2, factor), max_stretch=1.5, n_shuffle=0, **OPTIONS).table
    center = late / 2 + factor * 0.5, table["shift"] + table.stretch * 0.5  # of the responses
    assert np.corrcoef(*center)[0, 1] > 0.98
    assert np.corrcoef(factor, table.stretch)[0, 1] > 0.85


def test_a_trial_is_compared_with_the_others_not_with_itself():
    late = [-0.08, 0.03, 0.08]
    table = fit_warp(responses(late, n_neurons=30, base=1.0), n_shuffle=0, **OPTIONS).table
    np.testing.assert_allclose(table["shift"], np.array(late) - 0.03, atol=0.01)


def test_identical_trials_stay():
    trial = [np.sort(np.random.default_rng(j).uniform(0, 1, 20)) for j in range(6)]
    with pytest.warns(UserWarning, match="fit_warp"):
        fit = fit_warp(to_block([trial] * 8, t_stop=1 * pq.s), max_stretch=1.2, n_shuffle=19, **OPTIONS)
    assert (fit.table["shift"] == 0).all()
    assert (fit.table.stretch == 1).all()
    assert (fit.gain, fit.p) == (0, 1)
    for a, b in zip(fit.block.segments[0].spiketrains, trial, strict=True):
        assert a.magnitude.tolist() == b.tolist()


@pytest.mark.filterwarnings("ignore:fit_warp")
@pytest.mark.slow
def test_p_is_uniform_for_noise_and_for_responses_without_jitter():
    """Held-out neurons: about as many p up to .1 and .5 as there should be, and no gain on average."""
    n = 60
    options = {"sigma": 20 * pq.ms, "max_shift": 60 * pq.ms, "n_shuffle": 19}
    for peak in (False, True):
        fits = [
            fit_warp(responses(np.zeros(12), n_neurons=4, seed=k, peak=peak), **options) for k in range(n)
        ]
        p, gain = np.array([(fit.p, fit.gain) for fit in fits]).T
        for level in (0.1, 0.5):
            assert abs((p <= level).sum() - n * level) < 4 * np.sqrt(n * level * (1 - level))
        assert gain.mean() < 4 * gain.std(ddof=1) / np.sqrt(n)
        with pytest.warns(UserWarning, match="not used for the fit"):
            fit_warp(responses(np.zeros(12), n_neurons=4, seed=int(p.argmax()), peak=peak), **options)


@pytest.mark.filterwarnings("ignore:fit_warp")
def test_p_is_the_rank_of_the_gain_among_those_of_all_pairings():
    """To permute the shifts is to pair the trials of one half of the neurons with other trials of the other half.

    Of three trials there are six pairings, and p of each is known. It fails if both halves are permuted alike.
    """
    one, other = zip(
        *(s.spiketrains for s in responses([-0.08, 0.02, 0.08], n_neurons=2, seed=2).segments), strict=True
    )
    pairings = [[[a, other[i]] for a, i in zip(one, order, strict=True)] for order in permutations(range(3))]
    trials = [[[train.magnitude for train in trial] for trial in pairing] for pairing in pairings]
    fits = [fit_warp(to_block(some, t_stop=1 * pq.s), n_shuffle=300, **OPTIONS) for some in trials]
    gain, p = np.array([(fit.gain, fit.p) for fit in fits]).T
    rank = (gain >= gain[:, None]).mean(axis=1)
    assert sorted(rank) == pytest.approx(np.arange(1, 7) / 6)
    assert (np.abs(p - rank) < 4 * np.sqrt(rank * (1 - rank) / 300) + 1 / 300).all()


def coded(code, n=200):
    """Two stimuli, four neurons that fire at an onset and one whose spike is 30 or 70 ms after it; time of the onset in s.

    "pattern": the delay is the code and the onset jitters; "latency": the onset is the code.
    """
    rng = np.random.default_rng(1)
    stimulus = np.arange(n) % 2
    onset = 0.4 + (rng.uniform(-0.08, 0.08, n) if code == "pattern" else 0.12 * stimulus - 0.06)
    delay = 0.03 + 0.04 * stimulus * (code == "pattern")
    trials = [
        [np.sort(t + 0.005 * rng.normal(size=3)) for _ in range(4)] + [[t + d + 0.004 * rng.normal()]]
        for t, d in zip(onset, delay, strict=True)
    ]
    return stimulus, to_block(trials, t_stop=1 * pq.s), onset


def information(stimulus, block, start=0.38, align=None):
    """Bits that the words of the last neuron tell, in 120 ms."""
    each = words(
        block, bin_width=20 * pq.ms, align=align, t_start=start * pq.s, t_stop=(start + 0.12) * pq.s
    )[:, 4]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few trials
        return mutual_information(stimulus, each, n_shuffle=20).gain


@pytest.mark.slow
def test_warping_reveals_a_code_in_the_pattern_and_destroys_one_in_the_latency():
    stimulus, block, onset = coded("pattern")
    truth = information(stimulus, block, -0.02, onset * pq.s)
    by_events = warp(block, np.stack([onset, onset + 0.2], axis=1), to=[0.4, 0.6] * pq.s)
    by_fit = fit_warp(block, **OPTIONS, n_shuffle=19).block
    assert truth > 0.9
    assert information(stimulus, block) < 0.4
    assert information(stimulus, by_events) == pytest.approx(truth, abs=0.02)
    assert information(stimulus, by_fit) > 0.85 * truth
    stimulus, block, onset = coded("latency")
    by_events = warp(block, np.stack([onset, onset + 0.2], axis=1), to=[0.4, 0.6] * pq.s)
    by_fit = fit_warp(block, **OPTIONS, n_shuffle=19).block
    assert information(stimulus, block) > 0.9
    assert information(stimulus, by_events) < 0.1
    assert information(stimulus, by_fit) < 0.1


def test_one_neuron_has_no_test_and_bad_arguments_are_named():
    block = responses(np.linspace(-0.05, 0.05, 10), n_neurons=1)
    fit = fit_warp(block, **OPTIONS)
    assert np.isnan([fit.gain, fit.p]).all()
    assert np.isnan(fit_warp(responses(np.linspace(-0.1, 0.1, 10)), n_shuffle=0, **OPTIONS).p)
    wrong = [
        ({"sigma": 0 * pq.ms}, "sigma"), ({"max_shift": 2 * pq.ms}, "max_shift"), ({"max_shift": 500 * pq.ms}, "max_shift"),
        ({"max_stretch": 0.9}, "max_stretch"), ({"t_stop": 2 * pq.s}, "t_stop"), ({"sigma": 20 * pq.mV}, "sigma"),
    ]  # fmt: skip
    for option, name in wrong:
        with pytest.raises(NsnnError, match=name):
            fit_warp(block, **{**OPTIONS, **option})
    with pytest.raises(NsnnError, match="block"):
        fit_warp([[0.1]], **OPTIONS)
