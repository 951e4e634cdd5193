"""The study of estimators: the information of its channels, and claims that fail when a number is broken."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.channels import KINDS, words_of_kind
from helpers.quick_runs import quick_table
from helpers.studies import assert_each_can_fail
from scipy import integrate, stats

from analysis import estimator_benchmark as study
from analysis.estimator_benchmark import simulation, verdicts

BROKEN = {
    "within .02 bit": ("words", "panzeri-treves", 4.0, "mean", 0.1),
    "plug-in estimate is more than": ("words", "plugin", 8.0, "mean", -1.0),
    "every estimator": ("words", "panzeri-treves", 4.0, "coverage", -0.5),
    "words of every kind": ("refractory, 6 bins, no information", "auto", 20 / 64, "coverage", -0.5),
    "independent calculation": ("uniform", "nsb", 1.0, "mean", 0.1),
    "more than 90 %": ("curve", "ksg", 500.0, "mean", -0.5),
}


@pytest.mark.slow
def test_each_claim_fails_when_its_number_is_broken():
    table, broken = quick_table(study), {}
    for claim, (channel, estimator, size, column, change) in BROKEN.items():
        here = table.channel.eq(channel) & np.isclose(table["per response"], size)
        place = table.index[here & table.estimator.eq(estimator)].item()
        broken[claim] = table.copy()
        broken[claim].loc[place, column] += change
    assert_each_can_fail(study, table, broken)
    lines = verdicts.few_trials(table, 20).splitlines()
    assert [line.count("|") for line in lines] == [9] * (2 + 4 * 2)


@pytest.mark.parametrize(("kind", "informative"), [*((kind, True) for kind in KINDS), (KINDS[0], False)])
def test_words_of_each_kind_have_the_information_of_their_distribution(kind, informative):
    """Against the enumeration that the estimators' tests draw from."""
    channel = simulation.kind_channel(kind, 6, (20,), informative=informative)
    expected = words_of_kind(kind, simulation.STIMULI, 6, informative=informative).information
    assert channel.truth == pytest.approx(expected, abs=1e-12)
    assert (channel.truth > 0.4) == informative
    # entropy of all words minus that of chains, summed bin by bin
    assert simulation.words_channel((1.0,)).truth == pytest.approx(0.5184908564698416, abs=1e-12)


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
    assert simulation.curve_channel((100,)).truth == pytest.approx(
        integrate.simpson(p * inner, x=x), abs=1e-5
    )
