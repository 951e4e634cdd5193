"""The study of estimators: the information of its channels, and claims that fail when a number is broken."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.channels import KINDS, words_of_kind
from helpers.quick_runs import quick_table
from scipy import integrate, stats

from analysis import estimator_benchmark as study
from analysis.estimator_benchmark import channels, words
from analysis.harness import ClaimFailed


@pytest.fixture(scope="module")
def table():
    return quick_table(study)


@pytest.mark.slow
def test_the_printed_table_has_a_line_for_each_estimator(table):
    lines = words.few_trials(table, 20).splitlines()
    assert len(lines) == 2 + 4 * 2
    assert {line.count("|") for line in lines} == {9}


BROKEN = {
    "within .02 bit": ("words", "panzeri-treves", 4.0, "mean", 0.1),
    "plug-in estimate is more than": ("words", "plugin", 8.0, "mean", -1.0),
    "every estimator": ("words", "panzeri-treves", 4.0, "coverage", -0.5),
    "words of every kind": ("refractory, 6 bins, no information", "auto", 20 / 64, "coverage", -0.5),
    "independent calculation": ("uniform", "nsb", 1.0, "mean", 0.1),
    "more than 90 %": ("curve", "ksg", 500.0, "mean", -0.5),
}


@pytest.mark.slow
@pytest.mark.parametrize("claim", BROKEN)
def test_each_claim_fails_when_its_number_is_broken(table, claim):
    channel, estimator, size, column, change = BROKEN[claim]
    broken = table.copy()
    row = (
        (broken.channel == channel)
        & (broken.estimator == estimator)
        & np.isclose(broken["per response"].to_numpy(), size)
    )
    assert row.sum() == 1
    broken.loc[row, column] += change
    with pytest.raises(ClaimFailed, match=claim):
        study.verify(broken)


def test_words_have_the_information_of_their_distribution():
    """H(R) - H(R|S) bin by bin: words of one stimulus are a chain, whose entropy is that of each bin given the one before."""
    time, s = np.arange(channels.BINS), np.arange(channels.STIMULI)[:, None]
    fire = 0.03 + (0.2 + 0.06 * s) * np.exp(-0.5 * ((time - 0.7 * s) / 1.2) ** 2)

    def binary(p):
        return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))

    given = 0.0
    spiked = np.zeros(channels.STIMULI)
    for t in range(channels.BINS):
        given += ((1 - spiked) * binary(fire[:, t]) + spiked * binary(0.2 * fire[:, t])).mean()
        spiked = (1 - spiked) * fire[:, t] + spiked * 0.2 * fire[:, t]
    law = np.zeros((channels.STIMULI, 2**channels.BINS))
    for code in range(law.shape[1]):
        p, before = np.ones(channels.STIMULI), 0
        for t in range(channels.BINS):
            bit = code >> t & 1
            q = fire[:, t] * (0.2 if before else 1.0)
            p, before = p * (q if bit else 1 - q), bit
        law[:, code] = p
    mean = law.mean(0)
    expected = -(mean * np.log2(mean)).sum() - given
    assert channels.words_channel((1.0,)).truth == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("informative", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_words_of_each_kind_have_the_information_of_their_distribution(kind, informative):
    """Against the enumeration that the estimators' tests draw from."""
    channel = channels.kind_channel(kind, 6, (20,), informative=informative)
    expected = words_of_kind(kind, channels.STIMULI, 6, informative=informative).information
    assert channel.truth == pytest.approx(expected, abs=1e-12)
    assert (channel.truth > 0.4) == informative


@pytest.mark.slow
def test_the_curve_has_the_information_of_its_joint_density():
    """I = E log2 p(y|x) / p(y), by quadrature over x and y."""
    x = np.linspace(-7, 7, 1401)
    y = np.linspace(-4, 54, 5801)
    given = stats.norm.pdf(y, x[:, None] ** 2, 0.5)
    p = stats.norm.pdf(x)
    marginal = integrate.simpson(p[:, None] * given, x=x, axis=0)
    ratio = np.log2(np.where(given > 0, given, 1.0) / np.where(marginal > 0, marginal, 1.0))
    inner = integrate.simpson(np.where(given > 0, given * ratio, 0.0), x=y, axis=1)
    assert channels.curve_channel((100,)).truth == pytest.approx(integrate.simpson(p * inner, x=x), abs=1e-5)
