"""Where surrogate gradients come from: the study's numbers by hand, and that each of its claims can fail."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.quick_runs import quick_table
from helpers.studies import assert_each_can_fail, failing
from scipy.stats import binom, norm

from analysis import surrogate_rationale as study
from analysis.shared import surrogate_rules
from analysis.surrogate_rationale import config

# claim's words -> part of the table, case, and what becomes of one value there
BROKEN = {
    "equals a published surrogate gradient": ("density", "Cauchy", lambda v: v * (1 + 1e-9)),
    "is the slope of the firing probability": ("slope", "Logistic", lambda v: v * (1 + 1e-6)),
    "NDL gives the gradient of backpropagation": ("gradient", "Uniform", lambda v: 1e-9),
    "identical Brian2 code": ("text", "Triangular", lambda v: 2.0),
    "equals an independent calculation": ("depth", "noise", lambda v: v * (1 + 1e-4)),
    "falls with each doubling of sigma": ("depth", "noise", lambda v: -3 * v),
    "falls with each halving of the weight": ("depth", "weaker", lambda v: 1.2 * v),
    "falls with each doubling of the synapses": ("depth", "shared", lambda v: 1.2 * v),
    "two steps with the path through the reset": ("reset", "exact", lambda v: v * (1 + 1e-3)),
    "those of the deterministic network": ("limit", "Gaussian", lambda v: 1e-5),
}


def place_to_break(table, part, case):
    """Where a claim needs the value: near threshold, of the published sigma, the last of a series."""
    rows = table[(table.part == part) & (table.case == case)]
    if part in ("density", "slope"):
        return rows.x.abs().idxmin()
    if part == "limit":
        return rows.sigma.idxmin()
    if case == "noise" or part == "reset":
        return rows.index[rows.sigma == config.SIGMA][0]
    return rows.index[-1]


def test_claims_hold_in_a_quick_run_and_each_can_fail():
    table, broken = quick_table(study), {}
    for words, (part, case, change) in BROKEN.items():
        place, broken[words] = place_to_break(table, part, case), table.copy()
        broken[words].loc[place, "value"] = change(table.loc[place, "value"])
    assert failing(study, table) == []
    assert_each_can_fail(study, table, broken)
    for part in ("density", "slope", "gradient", "text", "limit"):
        without = table[(table.part != part) | (table.case != "Triangular")]
        assert failing(study, without, central=True), part
    parts = [(table.part == part).sum() for part in ("depth", "reset")]
    assert [len(frame) for frame in study.tables(table).values()] == parts


def test_bias_in_depth_by_hand():
    """n hidden neurons, one step: the difference of F, and the density, averaged over the others' binomial count."""
    table = quick_table(study)
    rows = table[table.part == "depth"]
    assert len(rows) > 20
    for row in rows.itertuples():
        others, w, s = np.arange(row.synapses), row.weight, row.sigma
        p = norm.cdf(-0.2, scale=s)
        chance, at = binom.pmf(others, row.synapses - 1, p), others * w - 0.5
        factor = norm.pdf(-0.2, scale=s)
        exact = factor * chance @ (norm.cdf(at + w, scale=s) - norm.cdf(at, scale=s))
        ndl = factor * w * chance @ (p * norm.pdf(at + w, scale=s) + (1 - p) * norm.pdf(at, scale=s))
        assert row.exact == pytest.approx(exact, rel=1e-9)
        assert row.value == pytest.approx(ndl, rel=1e-9)


def test_the_deterministic_network_by_hand():
    """One neuron, drive .8, beta .5: u = .8, 1.2 and a spike; hard reset to 0, subtractive to .2 beta."""
    W, x = [np.full((1, 1), 0.8)], np.ones((1, 5, 1))
    for reset, potentials in (
        ("hard", [0.8, 1.2, 0.8, 1.2, 0.8]),
        ("subtract", [0.8, 1.2, 0.9, 1.25, 0.925]),
    ):
        (u,), (o,) = surrogate_rules.deterministic(W, x, beta=0.5, theta=1.0, reset=reset)
        np.testing.assert_allclose(u[0, :, 0], potentials, rtol=1e-14)
        assert o[0, :, 0].tolist() == [0, 1, 0, 1, 0]
