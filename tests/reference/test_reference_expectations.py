"""The reference's estimators against finite differences of enumerated expectations; the bias of noise-driven learning."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.tiny_networks import EVERY, FAMILIES, largest, problem

import nsnn_neuro as nsnn
from nsnn_neuro import reference

# --------------------------------------------------------------------------------------- estimators and expectations


def differences(W, R, x, loss, family, neuron, h=1e-3):
    """Fourth-order central differences of the enumerated E[L], for every weight."""
    found = []
    for k, w in enumerate([*W, *R]):
        if w is None:
            found.append(None)
            continue
        gradient = np.zeros(w.shape)
        for index in np.ndindex(w.shape):
            values = []
            for step in (-2, -1, 1, 2):
                moved = [None if v is None else np.array(v, dtype=float) for v in [*W, *R]]
                moved[k][index] += step * h
                net = {**neuron, "recurrent": moved[len(W) :]}
                patterns = reference.patterns(W, len(x))
                p = reference.probability(moved[: len(W)], x, patterns, family, **net)
                values.append(p @ loss)
            gradient[index] = np.dot([1, -8, 8, -1], values) / (12 * h)
        found.append(gradient)
    return found


def mean_of(rule, p, *arguments, **options):
    """The mean of an estimator over patterns of probabilities p."""
    return [None if g is None else np.tensordot(p, g, 1) for g in rule(*arguments, **options)]


@pytest.mark.slow
@pytest.mark.parametrize(("family", "reset"), [*zip(FAMILIES, ["hard", "subtract"] * 3, strict=True)])
def test_estimators_are_unbiased(family, reset):
    """Averaged over every pattern: finite differences of E[L] to 1e-8, `enumerate` and each other to 1e-12."""
    W, R, x, _, loss = problem([2, 2, 1], 2, 11, recurrent=[0])
    neuron = {"beta": 0.6, "theta": 1.0, "reset": reset, "recurrent": R}
    patterns = reference.patterns(W, 2)
    p = reference.probability(W, x, patterns, family, **neuron)
    values = np.array([loss([o[k] for o in patterns]) for k in range(len(p))])
    expected = differences(W, R, x, values, family, neuron)
    mean, exact, total = reference.enumerate(W, x, loss, family, **neuron)
    assert abs(mean - p @ values) < 1e-13
    assert abs(total - 1) < 1e-13
    assert largest(exact, expected) < 1e-8
    given = (p, W, x, patterns, loss, family)
    assert largest(mean_of(reference.score_function, *given, **neuron), exact) < 1e-12
    assert largest(mean_of(reference.score_function, *given, baseline=0.7, **neuron), exact) < 1e-12
    assert largest(mean_of(reference.local_expectation, *given, **neuron), exact) < 1e-12
    assert largest(mean_of(reference.local_expectation, *given, later="weighted", **neuron), exact) < 1e-12
    assert largest(mean_of(reference.local_expectation, *given, later="fixed", **neuron), exact) > 1e-2


def test_baseline_is_taken_off_the_loss():
    W, _, x, spikes, _ = problem([2, 2, 1], 3, 11)
    neuron = {"beta": 0.6, "theta": 1.0, "reset": "hard"}
    given = (W, x, spikes, lambda o: 2.0, nsnn.Gaussian(0.4))
    full = reference.score_function(*given, **neuron)
    quarter = [g / 4 for g in full]
    assert largest(reference.score_function(*given, baseline=1.5, **neuron), quarter) < 1e-14


@pytest.mark.parametrize("sure", [2.0, -2.0])
def test_spikes_that_are_certain(sure):
    """Outside the noise's support: no gradient through that spike, no warning, the others as they are."""
    W, x = [[[sure, 0.9]], [[0.4], [0.3]]], [[1.0]]
    neuron = {"beta": 0.5, "theta": 0.5, "reset": "hard"}
    family = nsnn.Uniform(1.0)
    mean, gradients, total = reference.enumerate(W, x, lambda o: o[1].sum(), family, **neuron)
    fires, p = float(sure > 0), 0.7
    base = (0.4 * fires + 0.5) / 2
    assert abs(total - 1) < 1e-14
    assert abs(mean - (base + 0.15 * p)) < 1e-14
    np.testing.assert_allclose(gradients[0], [[0.0, 0.5 * 0.15]], rtol=0, atol=1e-14)
    np.testing.assert_allclose(gradients[1], [[0.5 * fires], [0.5 * p]], rtol=0, atol=1e-14)
    patterns = reference.patterns(W, 1)
    q = reference.probability(W, x, patterns, family, **neuron)
    for later in ("exact", "weighted"):
        given = (q, W, x, patterns, lambda o: o[1].sum(), family)
        assert largest(mean_of(reference.local_expectation, *given, later=later, **neuron), gradients) < 1e-13
    assert largest(mean_of(reference.score_function, *given, **neuron), gradients) < 1e-13


# ---------------------------------------------------------------------------------------------- what NDL gets right


@EVERY
def test_ndl_is_exact_for_one_step_of_an_output_layer(family):
    """A loss affine in each spike; with squared spikes it is biased, and so it is at two steps."""
    W, _, x, _, _ = problem([3, 3], 1, 13, spread=0.3)
    neuron = {"beta": 0.6, "theta": 1.0, "reset": "hard"}

    def affine(o):
        a, b, c = o[0][0]
        return 0.7 * a - 1.3 * a * b + 0.4 * b * c + 2 * a * b * c

    def curved(o):
        return (o[0].sum() - 1.2) ** 2

    patterns = reference.patterns(W, 1)
    p = reference.probability(W, x, patterns, family, **neuron)
    for loss, low, high in ((affine, 0, 1e-12), (curved, 1e-2, np.inf)):
        exact = reference.enumerate(W, x, loss, family, **neuron)[1]
        given = (p, W, x, patterns, loss, family)
        assert low <= largest(mean_of(reference.ndl, *given, **neuron), exact) < high
        fixed = mean_of(reference.local_expectation, *given, later="fixed", **neuron)
        assert largest(fixed, exact) < 1e-12


def chain(sigma):
    """NDL's mean and the exact gradient for an input weight of .8 onto a hidden neuron; one more, of weight .5, always fires."""
    W = [[[0.8, 1e3]], [[1.0], [0.5]]]
    family, x = nsnn.Gaussian(sigma), [[1.0]]
    neuron = {"beta": 0.5, "theta": 1.0, "reset": "hard"}

    def loss(o):
        return o[1].sum()

    patterns = reference.patterns(W, 1)
    p = reference.probability(W, x, patterns, family, **neuron)
    ndl = mean_of(reference.ndl, p, W, x, patterns, loss, family, **neuron)[0][0, 0]
    return ndl, reference.enumerate(W, x, loss, family, **neuron)[1][0][0, 0]


@pytest.mark.parametrize(
    ("sigma", "ratio", "digits"),
    [(0.1, 1.487e-5, 8), (0.4, 0.578956, 6), (1.6, 0.967870, 6)],
)
def test_bias_of_ndl_in_depth(sigma, ratio, digits):
    """One hidden, one output neuron: published ratios, and both by hand."""
    ndl, exact = chain(sigma)
    F, f = nsnn.Gaussian(sigma).cdf, nsnn.Gaussian(sigma).pdf
    p = F(-0.2)
    assert abs(exact - f(-0.2) * (F(0.5) - F(-0.5))) < 1e-14
    assert abs(ndl - f(-0.2) * (p * f(0.5) + (1 - p) * f(-0.5))) < 1e-14
    assert round(float(ndl / exact), digits) == ratio
    if sigma == 0.4:
        assert (round(float(exact), 6), round(float(ndl), 6)) == (0.694185, 0.401903)


def test_bias_of_ndl_through_the_reset():
    """Two steps of a neuron with a hard reset, by hand: the reset's difference F(a) - F(b) is what a derivative stands for.

    1.6 % at sigma .4, of third order in 1/sigma; 20 % and of first order when it is left out.
    """
    neuron, w = {"beta": 0.5, "theta": 1.0, "reset": "hard"}, 0.8
    W, x = [[[w]]], np.ones((2, 1))
    patterns, bias = reference.patterns(W, 2), []
    for sigma in (0.4, 0.8, 1.6, 3.2, 6.4):
        family = nsnn.Gaussian(sigma)
        F, f, a, b = family.cdf, family.pdf, w - 1, 1.5 * w - 1
        p = reference.probability(W, x, patterns, family, **neuron)
        given = (p, W, x, patterns, lambda o: o[0].sum(), family)
        exact = reference.enumerate(*given[1:3], given[4], family, **neuron)[1][0].item()
        direct, jump = f(a) + F(a) * f(a) + 1.5 * (1 - F(a)) * f(b), F(a) * f(a) + (1 - F(a)) * f(b)
        assert abs(exact - direct - f(a) * (F(a) - F(b))) < 1e-14
        both = [
            mean_of(reference.ndl, *given, reset_path=r, **neuron)[0].item() for r in ("exact", "detached")
        ]
        assert abs(both[0] - direct + f(a) * 0.5 * w * jump) < 1e-14
        assert abs(both[1] - direct) < 1e-14
        bias.append(np.array(both) / exact - 1)
    assert np.abs(bias[0] - [0.0157, 0.1951]).max() < 1e-4
    np.testing.assert_allclose(bias[3] / bias[4], [8, 2], rtol=0.05)
