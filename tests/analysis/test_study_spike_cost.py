"""Noise learned under a cost of spikes: closed forms and the gradient by hand, and that each claim can fail and hold."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.quick_runs import quick_table
from helpers.studies import changed, failing
from scipy import integrate
from scipy.stats import binom, norm

from analysis import spike_cost as study

# claim's words -> what is changed in the table: rows, column, and its values
BROKEN = {
    "information by quadrature": (
        {"part": "known", "case": "equal SDs", "units": 8},
        "value",
        lambda v: v + 1e-7,
    ),
    "the exact gradient": ({"part": "gradient", "units": 2}, "value", lambda v: v + 2e-5),
    "at theta = 0": ({"part": "fixed", "units": 8}, "sigma", lambda v: v + 0.002),
    "the searches end": ({"part": "grid", "units": 8, "cost": 0.5}, "value", lambda v: v + 0.1),
    "one unit learns": ({"part": "learned", "units": 1, "cost": 0.1}, "sigma", lambda v: v + 0.01),
    "keep some noise": ({"part": "learned", "units": 2, "cost": 0.5}, "sigma", lambda v: 0 * v + study.LEAST),
    "the learned threshold rises": ({"part": "learned", "units": 2, "cost": 0.5}, "theta", lambda v: 0 * v),
    "larger pools learn more": ({"part": "learned", "units": 8, "cost": 0.1}, "sigma", lambda v: 0.1 * v),
}


@pytest.mark.slow
def test_claims_hold_in_a_quick_run_and_each_can_fail() -> None:
    """Two hypotheses fail, and hold in a table that is as they say."""
    table = quick_table(study)
    failed = failing(study, table, central=True)
    for words, (rows, column, change) in BROKEN.items():
        assert not [text for text in failed if words in text]
        broken = failing(study, changed(table, column, change, **rows), central=True)
        assert [text for text in broken if words in text], words
    good = table.copy()
    learned = good.part == "learned"
    good.loc[learned & (good.units > 1), "sigma"] -= 0.8 * good.cost * good.sigma
    good.loc[learned, "value"] = [study.bound(int(row.units), row.cost) for row in good[learned].itertuples()]
    hold = {claim.text for claim in study.claims(good) if claim.holds}
    assert len(failed) == 2
    assert set(failed) <= hold


def test_closed_forms_without_noise_are_maxima() -> None:
    """Over the firing probability of a pool that agrees; and over distributions of the count."""
    for n_units, cost in ((1, 0.3), (4, 0.1)):
        q = np.linspace(1e-6, 1 - 1e-6, 100_001)
        value = -q * np.log2(q) - (1 - q) * np.log2(1 - q) - cost * n_units * q
        assert study.noiseless(n_units, cost) == pytest.approx(value.max(), abs=1e-8)
        n = np.arange(n_units + 1)
        p = 2.0 ** (-cost * n) / (2.0 ** (-cost * n)).sum()
        assert study.bound(n_units, cost) == pytest.approx(-p @ np.log2(p) - cost * p @ n, rel=1e-12)
    assert study.bound(1, 0.3) == pytest.approx(study.noiseless(1, 0.3))
    assert study.equal_deviations(1) == pytest.approx(1 - 1 / (2 * np.log(2)), rel=1e-14)
    assert study.equal_deviations(63) == pytest.approx(2.4206, abs=5e-5)  # of the package's docstring


def test_information_and_spikes_by_adaptive_quadrature() -> None:
    sigma, theta, n_units = 0.3, 0.7, 3

    def mean(function):
        return integrate.quad(
            lambda x: norm.pdf(x) * function(norm.cdf((x - theta) / sigma)), -8, 8, points=[theta]
        )[0]

    law = np.array([mean(lambda p, n=n: binom.pmf(n, n_units, p)) for n in range(n_units + 1)])
    bits = -law @ np.log2(law) - mean(lambda p: binom.entropy(n_units, p) / np.log(2))
    ours, spikes, _ = study.objective(sigma, theta, n_units)
    assert ours == pytest.approx(bits, abs=1e-7)
    assert spikes == pytest.approx(law @ np.arange(n_units + 1), abs=1e-9)
    assert study.exact_value(sigma, theta, n_units, 0.2) == pytest.approx(bits - 0.2 * spikes, abs=1e-7)
