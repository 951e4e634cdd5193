"""Confidence limits with few trials: their formula, and their coverage where the truth is known."""

from __future__ import annotations

import importlib
import re
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import quantities as pq
from numpy.testing import assert_allclose
from scipy.stats import chi2, kurtosis, skew, t

from nsnn_neuro import measures, tabulate, to_block
from nsnn_neuro.measures.estimate import Estimate, measure
from nsnn_neuro.measures.limits import jackknife_limits, mean_limits, student_limits

sys.path.append(str(Path(__file__).resolve().parents[2] / "docs"))
few_trials, recording_tests = map(importlib.import_module, ("few_trials", "recording_tests"))


def test_limits_are_students_where_values_are_symmetric_and_longer_on_the_side_of_the_tail() -> None:
    symmetric = np.array([3.0, 4.0, 5.0, 6.0, 7.0])
    assert_allclose(mean_limits(symmetric), t.interval(0.95, 4, 5.0, np.sqrt(0.5)), rtol=1e-12)
    assert_allclose(mean_limits(symmetric, confidence=0.8), t.interval(0.8, 4, 5.0, np.sqrt(0.5)), rtol=1e-12)
    x = np.random.default_rng(1).exponential(size=(12, 40)) ** 2
    lower, upper = mean_limits(x)
    freedom = 11 * np.minimum(1, 2 / (kurtosis(x, fisher=False) - 1))
    reach, se = t.ppf(0.975, np.maximum(freedom, 1)), x.std(axis=0, ddof=1) / np.sqrt(12)
    tail = skew(x) * (1 + 2 * t.ppf(0.975, 11) ** 2) / (6 * np.sqrt(12))
    assert (skew(x) > 0).all()
    assert_allclose(lower, x.mean(axis=0) - se * reach, rtol=1e-12)
    assert_allclose(upper, x.mean(axis=0) + se * (reach + tail), rtol=1e-12)
    assert_allclose(mean_limits(-x), (-upper, -lower), rtol=1e-12)
    left_out = (x.sum(axis=0) - x) / 11
    assert_allclose(jackknife_limits(x.mean(axis=0), left_out), (lower, upper), rtol=1e-9)
    holes = np.concatenate([x, np.full((3, 40), np.nan)])
    assert_allclose(mean_limits(holes), (lower, upper), rtol=1e-12)


def test_scales_of_limits_and_what_has_none() -> None:
    deviations = np.array([-0.3, 0.0, 0.3])
    half = t.ppf(0.975, 2) * 0.3 / np.sqrt(3)
    ends = {
        "linear": (0.5 - half, 0.5 + half),
        "positive": (0.0, 0.5 + half),
        "fraction": (0.0, 1.0),
        "log": (0.5 * np.exp(-2 * half), 0.5 * np.exp(2 * half)),
    }
    for scale, expected in ends.items():
        assert_allclose(student_limits(0.5, deviations, scale=scale), expected, rtol=1e-12)
    assert np.isnan(student_limits(0.0, deviations, scale="log")).all()
    assert np.isnan(mean_limits(np.array([[4.0, np.nan], [np.nan, np.nan]]))).all()
    assert_allclose(mean_limits(np.full(5, 0.1)), (0.1, 0.1), rtol=1e-12)
    assert np.isnan(jackknife_limits(1.0, np.array([1.0, np.nan, 1.0]))).all()


def test_limits_in_a_table() -> None:
    rng = np.random.default_rng(3)
    trials = [[np.sort(rng.uniform(0, 1, rng.poisson(9))) for _ in range(3)] for _ in range(6)]
    block = to_block(trials, t_stop=1 * pq.s)
    rate = tabulate(block, measures.firing_rate, confidence=0.9)
    assert list(rate.columns)[4:8] == ["value", "se", "lower", "upper"]
    counts = np.array([[len(train) for train in trial] for trial in trials], float)
    assert_allclose(rate[["lower", "upper"]].to_numpy().T, mean_limits(counts, confidence=0.9), rtol=1e-9)

    # a function without sums over trials has the same limits, on the scale that it declares
    def fano(block):
        return measures.fano_factor(block)

    slow = tabulate(block, measure("1", scale="log")(fano), confidence=0.95)
    fast = tabulate(block, measures.fano_factor, confidence=0.95)
    assert_allclose(slow[["lower", "upper"]], fast[["lower", "upper"]], rtol=1e-9)
    option = tabulate(block, partial(measures.fano_factor, ddof=1), confidence=0.95)
    assert_allclose(option[["lower", "upper"]], fast[["lower", "upper"]])
    population = tabulate(block, measures.firing_rate, by="population", confidence=0.95)
    expected = mean_limits(counts.mean(axis=0), scale="positive")
    assert_allclose(population[["lower", "upper"]].to_numpy()[0], expected, rtol=1e-9)
    two = {"e": lambda block: Estimate(1.0, 0.1, n=6), "rate": lambda block: float(counts.mean())}
    assert tabulate(block, two, confidence=0.95)["lower"].isna().tolist() == [True, False]


def test_limits_of_a_power_spectrum_are_those_of_chi_square() -> None:
    """A Poisson train of 2 kHz: so many spikes that a segment's power is exponential."""
    rng = np.random.default_rng(4)
    train = np.sort(rng.uniform(0, 4, 8000))
    s = measures.power_spectrum(
        [train], sampling_rate=100 * pq.Hz, nperseg=50, noverlap=0, t_start=0 * pq.s, t_stop=4 * pq.s
    )
    freedom = np.minimum(2 * 8, 2 * (s.power[0] / s.se[0]) ** 2)[2:]
    assert_allclose(s.lower[0, 2:], freedom * s.power[0, 2:] / chi2.ppf(0.975, freedom), rtol=1e-9)
    assert_allclose(s.upper[0, 2:], freedom * s.power[0, 2:] / chi2.ppf(0.025, freedom), rtol=1e-9)
    assert s.upper[0, 0] / s.lower[0, 0] > chi2.ppf(0.975, 8) / chi2.ppf(0.025, 8)  # 8 at f = 0


def test_the_sign_test_is_conservative() -> None:
    """P(p <= 0.05) from the binomial distribution: every number of positive differences, weighted."""
    n = 20
    weight = np.array([float(np.prod([(n - i) / (i + 1) for i in range(k)])) for k in range(n + 1)]) / 2**n
    trials = [[[0.2] if trial < n - k else [0.7] for k in range(n + 1)] for trial in range(n)]
    p = measures.response_test(
        to_block(trials, t_stop=1 * pq.s), baseline=[0, 0.5] * pq.s, window=[0.5, 1] * pq.s, test="sign"
    ).p
    assert_allclose(weight[p <= 0.05].sum(), 43400 / 2**20, rtol=1e-9)
    assert all(weight[p <= one * (1 + 1e-12)].sum() <= one * (1 + 1e-9) for one in p)


@pytest.mark.slow
@pytest.mark.parametrize("case", [*few_trials.CASES][::8], ids=" ".join)
def test_the_table_of_the_page_is_what_is_measured(case: tuple[str, str]) -> None:
    """Within one per cent, and 90 % or more at the limits, or at two errors where there are no limits."""
    begin = f"| {case[0]} | {case[1]} |"
    (page,) = (line for line in few_trials.PAGE.read_text().splitlines() if line.startswith(begin))
    columns = [
        [[int(n) for n in re.findall(r"\d+", cell)] for cell in line.split(" | ")[2:]]
        for line in (page, few_trials.row(*case))
    ]
    for own, again in zip(*columns, strict=True):
        assert_allclose(again, own, atol=1)
    errors, limits = columns[0]
    assert len(limits or errors) == len(few_trials.TRIALS)
    assert min(limits or errors) >= 90


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["`modulation_ratio`, `se`", "`phase_locking`, surrogates", '`responsive_units`, "paired"']
)
def test_the_table_of_trains_with_a_rhythm_is_what_is_measured(name: str) -> None:
    """Two kinds of train of some rows; all levels are 2 to 8 %, and all errors but one cover in 90 % or more."""
    text = recording_tests.PAGE.read_text().partition(recording_tests.HEAD)[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines()]
    assert {(row[0], row[1]) for row in rows} == set(recording_tests.CASES)
    (own, *_) = [row for row in rows if row[0] == name]
    case = recording_tests.CASES[own[0], own[1]]
    for k in (0, 3):
        assert own[2 + k] == recording_tests.cell(case, recording_tests.KINDS[k])
    p = np.array([float(cell.split(";")[0]) for row in rows for cell in row[2:] if ";" in cell])
    errors = np.array([float(cell) for row in rows for cell in row[2:] if ";" not in cell])
    assert 2 <= p.min() <= p.max() <= 8
    assert (errors < 90).sum() <= 1
