"""Encoders' laws in a run, decoders against plain loops, and both in training."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from helpers.training import output_spikes
from scipy import stats

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, coding, losses, parameter
from nsnn_neuro.brian import running
from nsnn_neuro.learning import Learner

NOISE = nsnn.EscapeNoise(nsnn.Gaussian(0.4))
POPULATION = coding.PopulationCode(5, width=0.8, gain=0.9)


def sent(encoder, X, n_steps, batch=1, target="numpy"):
    """What the input sends, (batch, n_steps, n): copy b has sample b modulo their number."""
    n = X.shape[-1] * encoder.units
    net = nsnn.feedforward([n, 1], noise=NOISE, plasticity=nsnn.NDL(0.1), weights=[np.ones((n, 1))])
    with running(target):
        learner = Learner(
            net, batch=batch, n_steps=n_steps, encoder=encoder, loss=losses.rate_mse, feedback=None
        )
        order = np.arange(batch)[None] % len(X)
        learner.run(X, np.zeros(len(X), int), order, np.array([False]), key=(3,))
    return learner.layers[0].samples("o")


def test_bernoulli_spikes_have_their_probability():
    x = np.array([[0.0, 0.2, 0.7, 1.0]])
    o = sent(coding.Bernoulli(0.9), x, 400, batch=50)
    n, p = 400 * 50, 0.9 * x[0]
    assert set(np.unique(o)) == {0.0, 1.0}
    z = (o.sum((0, 1)) - n * p)[1:] / np.sqrt(n * p * (1 - p))[1:]
    assert np.abs(z).max() < 4
    assert o[:, :, 0].sum() == 0
    # units, copies and steps don't share their draws
    flat = o[:, :, 2] - o[:, :, 2].mean()
    for other in (o[:, :, 1], np.roll(o[:, :, 2], 1, 0), np.roll(o[:, :, 2], 1, 1)):
        r = (flat * (other - other.mean())).mean() / flat.std() / other.std()
        assert abs(r) * np.sqrt(n) < 4


def test_direct_sends_the_value_and_latency_one_spike():
    x = np.array([[0.0, 0.25, 0.6, 1.0], [0.5, 0.1, 0.0, 0.9]])
    o = sent(coding.Direct(2.0), x, 5, batch=2)
    np.testing.assert_array_equal(o, np.repeat(2 * x[:, None], 5, axis=1))
    o = sent(coding.Latency(), x[:1], 5)
    assert o[0].sum(0).tolist() == [0, 1, 1, 1]
    assert o[0].argmax(0)[1:].tolist() == [3, 2, 0]


# --- population code


def chances(x, units, width, gain):
    """Of each neuron, by the normal density over that at its peak."""
    bell = stats.norm(np.linspace(0, 1, units), width / (units - 1))
    return gain * bell.pdf(x) / bell.pdf(np.linspace(0, 1, units))


def test_a_population_fires_by_its_tuning_curves():
    X, copies, steps = np.array([[0.0, 0.4], [1.0, 0.55]]), 100, 200
    o = sent(POPULATION, X, steps, copies)
    assert o.shape == (copies, steps, 10)
    assert set(np.unique(o)) == {0.0, 1.0}
    n = copies // 2 * steps
    for row in (0, 1):
        p = np.concatenate([chances(x, 5, 0.8, 0.9) for x in X[row]])
        count = o[row::2].sum((0, 1))
        assert np.abs((count - n * p) / np.sqrt(n * p * (1 - p)))[n * p > 5].max() < 4
        assert count[n * p < 1e-3].sum() == 0
    # the neurons of one value don't share their draws
    r = np.corrcoef(o[::2, :, 6].ravel(), o[::2, :, 7].ravel())[0, 1]
    assert abs(r) * np.sqrt(n) < 4


def test_a_population_gets_each_steps_value():
    x = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    sharp = coding.PopulationCode(5, width=1e-3)
    o = sent(sharp, np.stack([x, x[::-1]], axis=1)[None], 5, 1)
    np.testing.assert_array_equal(o[0], np.concatenate([np.eye(5), np.eye(5)[::-1]], axis=1))


def test_an_encoder_of_ones_own_has_units_too():
    @dataclasses.dataclass(frozen=True, eq=False)
    class Above(coding.Encoder):
        units: Any = parameter("1", default=4)
        o = "int(4 * x > unit % units) * int(k == 0)"

    o = sent(Above(), np.array([[0.3, 0.8]]), 2, 1)
    assert o[0].tolist() == [[1, 1, 0, 0, 1, 1, 1, 1], [0] * 8]


def test_files_keep_the_name_of_a_population_code():
    assert coding.PopulationCode(3).describe()["type"] == "Population"  # a checkpoint of before is resumed


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: coding.PopulationCode(1), "units = 1: expected a whole number, 2 or more"),
        (lambda: coding.PopulationCode(True), "units = True"),
        (lambda: coding.PopulationCode([3, 4]), r"units = \[3, 4\]"),
        (lambda: coding.PopulationCode(4, width=0), "width = 0"),
        (lambda: coding.PopulationCode(4, gain=1.1), "gain = 1.1: expected a value from 0 to 1"),
        (lambda: coding.LeakyReadout(1.5), "beta = 1.5: expected a value from 0 to 1"),
        (lambda: coding.LeakyReadout([0.5, 0.6]), r"beta = \[0.5, 0.6\]: expected one number"),
        (lambda: coding.Count().scores([1, 0]), r"o has shape \(2,\), int64: expected spikes, 0 or 1"),
        (lambda: coding.FirstSpike().scores([[0.5]]), r"o has shape \(1, 1\), float64: expected spikes, 0 or 1"),
        (lambda: coding.Count().scores(np.zeros((2, 0, 3))), r"o has shape \(2, 0, 3\)"),
    ],
)  # fmt: skip
def test_mistakes_are_named(make, message):
    with pytest.raises(NsnnError, match=message):
        make()


def net_of(n_in=6, n_out=2):
    return nsnn.feedforward([n_in, n_out], noise=NOISE, seed=1, plasticity=nsnn.NDL(0.1))


def fit_of(net=None, data=None, **kw):
    given = {"loss": losses.rate_mse, "epochs": 1, "n_steps": 5, "batch": 8, "seed": 1, "engine": "numpy"}
    return nsnn.train(net or net_of(), data, **(given | kw))


def test_the_width_of_the_data_is_that_of_values():
    X, y = np.random.default_rng(0).random((20, 2)), np.array([0, 1] * 10)
    three, four = coding.PopulationCode(3), coding.PopulationCode(4)
    with pytest.raises(
        NsnnError, match=r"X has shape \(20, 6\), .* 6 x 3 = 18 input neurons in the network, which has 6"
    ):
        fit_of(data=(np.repeat(X, 3, 1), y), encoder=three)
    with pytest.raises(
        NsnnError, match=r"PopulationCode has units = 4 input neurons for each: expected 2 x 4 = 8 input"
    ):
        fit_of(data=(X, y), encoder=four)
    fit = fit_of(data=(X, y), encoder=three, validation=(X[:4], y[:4]))
    assert fit.evaluate((X, y))["loss"] > 0
    with pytest.raises(NsnnError, match=r"X has shape \(20, 6\)"):
        fit.evaluate((np.repeat(X, 3, 1), y))


# --- decoders


def by_loops(decoder, o):
    """Scores of one sample, step by step."""
    out = []
    for train in np.transpose(o):
        if isinstance(decoder, coding.Count):
            out.append(len([s for s in train if s]))
        elif isinstance(decoder, coding.FirstSpike):
            out.append(len(train) - min([t for t, s in enumerate(train) if s], default=len(train)))
        else:
            x = 0.0
            for s in train:
                x = decoder.beta * x + s
            out.append(x)
    return out


DECODERS = [
    coding.Count(), coding.FirstSpike(), coding.LeakyReadout(0.6), coding.LeakyReadout(0.0), coding.LeakyReadout(1.0),
]  # fmt: skip


@pytest.mark.parametrize("decoder", DECODERS, ids=repr)
def test_scores_of_all_outputs_are_those_of_loops(decoder):
    every = np.array(list(itertools.product([0, 1], repeat=10))).reshape(4, 256, 5, 2)
    found = decoder.scores(every)
    expected = [[by_loops(decoder, o) for o in part] for part in every]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)
    assert found.shape == (4, 256, 2)
    np.testing.assert_array_equal(found, decoder.scores(every.astype(bool)))


def test_the_decoders_disagree_where_they_should():
    """Neuron 0 fires most, 1 first, 2 last."""
    o = np.array([[0, 1, 0], [1, 0, 0], [1, 0, 0], [1, 0, 0], [0, 0, 1]])
    guesses = [d.scores(o).argmax() for d in (coding.Count(), coding.FirstSpike(), coding.LeakyReadout(0.3))]
    assert guesses == [0, 1, 2]


class Late(coding.Decoder):
    """Of one's own: spikes of the last two steps."""

    def scores(self, o):
        return o[..., -2:, :].sum(-2)


@pytest.mark.slow
@pytest.mark.parametrize("decoder", [coding.LeakyReadout(1.0), Late()], ids=repr)
def test_evaluate_is_the_decoder_on_the_spikes_by_hand(decoder):
    """21 samples in batches of 8, twice: the trains of `spikes`, put on a grid, scored, added up."""
    X, y = np.random.default_rng(2).random((21, 6)), np.arange(21) % 3
    fit = fit_of(net_of(n_out=3), (X, y))
    o = output_spikes(fit, (X, y), 5, passes=2, seed=7)
    guess = decoder.scores(o).sum(0).argmax(-1)
    found = fit.evaluate((X, y), passes=2, seed=7, decoder=decoder)
    assert found["accuracy"] == (guess == y).mean()
    assert found["se"] == pytest.approx(stats.sem(guess == y), rel=1e-12)
    plain = fit.evaluate((X, y), passes=2, seed=7)
    assert found["loss"] == plain["loss"]
    if getattr(decoder, "beta", 0) == 1:  # which counts
        assert found == plain


def test_decoders_that_do_not_fit_are_refused():
    X, y = np.random.default_rng(2).random((8, 6)), np.arange(8) % 2
    with pytest.raises(NsnnError, match="decoder = 'count': expected a decoder such as"):
        fit_of(data=(X, y)).evaluate((X, y), decoder="count")
    spikes = np.zeros((8, 5, 2))
    fit = fit_of(data=(X, spikes), loss=losses.VanRossum(2.0))
    with pytest.raises(NsnnError, match=r"decoder = Count\(\): expected None with target spikes"):
        fit.evaluate((X, spikes), decoder=coding.Count())


@pytest.mark.slow
def test_probabilities_are_shares_of_the_passes():
    """Guesses of the single passes of `spikes`, which are shared where scores tie; one pass is the guess of `evaluate`."""
    X, y = np.random.default_rng(2).random((21, 6)), np.arange(21) % 3
    fit, decoder = fit_of(net_of(n_out=3), (X, y)), Late()
    before = X.copy()
    found = fit.probabilities(X, passes=4, seed=7, decoder=decoder)
    np.testing.assert_array_equal(fit.probabilities((X, y), passes=4, seed=7, decoder=decoder), found)
    with pytest.raises(NsnnError, match=r"of one-hot rows give y.argmax\(axis=1\)"):
        fit.probabilities((X, np.eye(3)[y]), passes=4, seed=7, decoder=decoder)
    scores = decoder.scores(output_spikes(fit, (X, y), 5, passes=4, seed=7))
    best = scores == scores.max(-1, keepdims=True)
    assert (best.sum(-1) > 1).sum() > 5
    np.testing.assert_allclose(found, (best / best.sum(-1, keepdims=True)).mean(0), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(X, before)
    one = fit.probabilities(X, passes=1, seed=7, decoder=decoder)
    found = fit.evaluate((X, y), seed=7, decoder=decoder)["accuracy"]
    assert found == (one.argmax(1) == y).mean()


def test_probabilities_refuse_what_evaluate_does():
    X, y = np.random.default_rng(2).random((8, 6)), np.arange(8) % 2
    fit = fit_of(data=(X, y))
    for wrong, options, message in [
        (X[:, :5], {}, r"X has shape \(8, 5\)"), (None, {}, r"X has shape \(\)"), (X + 1, {}, "X has values from 1"),
        (X, {"passes": 0}, "passes = 0"), (X, {"seed": -1}, "seed = -1"), (X, {"decoder": "count"}, "decoder = 'count'"),
    ]:  # fmt: skip
        with pytest.raises(NsnnError, match=message):
            fit.probabilities(wrong, **options)
    spikes = fit_of(data=(X, np.zeros((8, 5, 2))), loss=losses.VanRossum(2.0))
    with pytest.raises(NsnnError, match="the loss was VanRossum"):
        spikes.probabilities(X)
