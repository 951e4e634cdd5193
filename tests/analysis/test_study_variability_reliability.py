"""Variability and reliability: the study's arithmetic by hand, and that each of its claims can fail."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
from helpers.quick_runs import quick_table
from helpers.studies import assert_each_can_fail, failing
from scipy import stats

from analysis import variability_reliability as study
from analysis.shared import cortical_cell as cell
from analysis.variability_reliability import simulation
from analysis.variability_reliability.verdicts import slopes
from nsnn_neuro import to_block

# claim's words -> quantity, and what becomes of it as a function of (value, fluctuation, sigma)
BROKEN = {
    "falls with sigma at every fluctuation": ("Gamma", lambda v, f, s: v + 0.4 * s * (f == 4)),
    "Gamma rises with the fluctuation": ("Gamma", lambda v, f, s: v - 0.2 * f * (s == 1)),
    "Schreiber's reliability rises": ("reliability", lambda v, f, s: v - 0.2 * f * (s == 1)),
    "Schreiber's reliability falls with sigma under the two": ("reliability", lambda v, f, s: v + 0.4 * s * (f == 4)),
    "jitter of firing events": ("jitter", lambda v, f, s: v * (1 if f < 8 else (s + 1e-9) ** -2)),
    "irregular but repeatable": ("Fano factor", lambda v, f, s: v + 0.5 * (s == 3)),
    "the deterministic neuron has identical trials": ("trials unlike the first", lambda v, f, s: v + (s == 0) * (f == 1)),
}  # fmt: skip


@pytest.mark.slow
def test_each_claim_can_fail():
    table, broken = quick_table(study), {}
    for words, (quantity, change) in BROKEN.items():
        broken[words] = table.copy()
        part = table[(table.part == "frozen") & (table.quantity == quantity)]
        new = map(change, part.value, part.fluctuation, part.sigma)
        broken[words].loc[part.index, "value"] = list(new)
    for words, quantity in (("the CV equals Siegert's", "CV"), ("time of the n-th spike", "spread")):
        broken[words] = table.copy()
        place = table.index[(table.part == "constant") & (table.quantity == quantity)][1]
        broken[words].loc[place, "value"] = table.exact[place] + 4.1 * table.se[place]
        assert len(failing(study, broken[words], central=True)) == 1
    assert_each_can_fail(study, table, broken)


# --- arithmetic --------------------------------------------------------------------------------------------------------------


def test_cv_of_intervals_is_unbiased_by_the_window():
    """Exponential intervals, CV 1, in trials of three mean intervals after the border."""
    rng = np.random.default_rng(1)
    trials = [np.cumsum(rng.exponential(1.0, 60)) for _ in range(2000)]
    value, se = simulation.interval_cv(trials, 3.0)
    assert abs(value - 1) < 4 * se
    assert 0.005 < se < 0.03
    cut = np.concatenate([np.diff(times[times < 3.0]) for times in trials])
    assert cut.std() / cut.mean() < 1 - 8 * se


def test_spread_has_its_own_standard_error():
    rng = np.random.default_rng(2)
    sample = rng.exponential(1.0, (4000, 200))
    found = np.array([simulation.spread_of(row) for row in sample])
    assert found[:, 0].mean() == pytest.approx(1, abs=0.01)
    assert found[:, 1].mean() == pytest.approx(found[:, 0].std(), rel=0.15)
    assert found[:, 1].mean() > 1.5 / np.sqrt(2 * 199)  # the Gaussian's


def test_slopes_by_hand():
    columns = pd.MultiIndex.from_tuples(
        [(2.0, 0.0), (2.0, 1.0), (2.0, 2.0), (2.0, 4.0), (6.0, 1.0)], names=["fluctuation", "sigma"]
    )
    wide = pd.DataFrame([[9.0, 1.0, 2.0, 6.0, 5.0], [9.0, 3.0, 3.0, 3.0, np.nan]], columns=columns)
    assert slopes(wide, "sigma", 2.0).tolist() == pytest.approx([2.5, 0.0])
    assert np.isnan(slopes(wide, "fluctuation", 1.0)).all()  # one seed has no value at (6, 1)
    assert slopes(wide.iloc[:1], "fluctuation", 1.0).tolist() == pytest.approx([1.0])


def test_trials_by_neuron_and_neurons_as_trials():
    """[trial][neuron]: neuron 1's repeats; the same spikes as two points of two copies each."""
    block = to_block([[[0.1], [0.2, 0.3]], [[0.4], []]], t_stop=1 * cell.pq.s)
    first, other = cell.by_neuron(block)
    assert (first.times.tolist(), first.trial.tolist(), first.n_trials) == ([0.1, 0.4], [0, 1], 2)
    assert (other.times.tolist(), other.counts.ravel().tolist()) == ([0.2, 0.3], [2, 0])
    assert simulation.unlike_first(other) == 1
    flat = to_block([[[0.1], [0.4], [0.2, 0.3], [0.2, 0.3]]], t_stop=1 * cell.pq.s)
    one, two = cell.by_neuron(flat, copies=2)
    assert (one.times.tolist(), one.trial.tolist(), one.n_trials) == ([0.1, 0.4], [0, 1], 2)
    assert two.counts.ravel().tolist() == [2, 2]
    assert simulation.unlike_first(two) == 0


def test_rank_correlation_and_its_exact_p():
    x, y = np.array([1.0, 2.0, 5.0, 3.0, 4.0]), np.array([10.0, 30.0, 20.0, 40.0, 50.0])
    rho, p = cell.rank_correlation(x, y)
    assert rho == pytest.approx(stats.spearmanr(x, y).statistic)
    every = [stats.spearmanr(x, order).statistic for order in itertools.permutations(y)]
    assert p == pytest.approx(np.mean(np.array(every) >= rho - 1e-9))
    assert cell.rank_correlation(x, x) == (pytest.approx(1), pytest.approx(1 / 120))


# --- the cell ----------------------------------------------------------------------------------------------------------------


def made_up(**gammas):
    """Rows of four settings: cell, noisy LIF and deterministic LIF."""
    rows = []
    for k in range(6):
        one = {"part": "cell", "setting": f"setting {k}" + "*" * (k % 2), "fluctuation": float(k)}
        for source, x, value in (("cell", 9.0, "cell"), ("LIF", 1.0, "noisy"), ("LIF", 0.0, "deterministic")):
            rows.append({**one, "quantity": "Gamma", "source": source, "x": x, "value": gammas[value](k)})
        rows.append({**one, "quantity": "reliability", "source": "cell", "x": 9.0, "value": k / 9})
    return pd.DataFrame(rows)


def test_claims_about_the_cell_hold_and_fail_as_they_should():
    good = {
        "cell": lambda k: k / 10,
        "noisy": lambda k: k / 12,
        "deterministic": lambda k: 1.0 if k else np.nan,
    }
    assert [claim.holds for claim in cell.claims(made_up(**good))] == [True] * 4
    falling = cell.claims(made_up(**{**good, "cell": lambda k: 1 - k / 10}))
    assert [claim.holds for claim in falling] == [False, True, False, False]
    far = cell.claims(made_up(**{**good, "noisy": lambda k: k / 10 - 1}))
    assert [claim.holds for claim in far] == [True, True, True, False]
    assert not any(claim.central for claim in falling)
    assert cell.claims(pd.DataFrame({"part": ["frozen"]})) == []


@pytest.mark.slow
def test_the_fit_recovers_the_statistics_of_its_own_model():
    """A LIF's own rate, CV and Gamma in two currents are matched."""
    rng = np.random.default_rng(3)
    drives = [15 + 6 * np.convolve(rng.normal(size=4014), np.ones(15) / 15**0.5, "valid") for _ in range(2)]
    truth = pd.DataFrame([{"v_thresh": 15.0, "v_reset": 0.0, "tau_refrac": 3e-3, "sigma": 1.5}])
    targets = [cell.repeatability_and_cv(one) for one in cell.simulate(truth, drives, 8, 4e-4, 1)]
    config = dataclasses.replace(cell.QUICK, generations=4, trials=4)
    found = cell.fit(drives, targets, config, 5)
    again = [
        cell.repeatability_and_cv(one) for one in cell.simulate(pd.DataFrame([found]), drives, 8, 4e-4, 2)
    ]
    for one, target in zip(again, targets, strict=True):
        assert one["rate"] == pytest.approx(target["rate"], rel=0.2)
        assert one["Gamma"] == pytest.approx(target["Gamma"], abs=0.15)
