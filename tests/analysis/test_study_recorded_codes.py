"""Codes of recorded cells: arithmetic against exact distributions, claims that can fail, sabotage, and the recording."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Any

import neo
import numpy as np
import pandas as pd
import pytest
import quantities as pq
from helpers.studies import failing
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from analysis import recorded_codes as study
from analysis.recorded_codes import cells, config, population, posteriors
from nsnn_neuro import measures, to_block

RNG = np.random.default_rng


# --- single cells ---


def test_classes_keep_the_order_and_are_nearly_equal() -> None:
    values = RNG(1).poisson(6.0, 1800)
    label = cells.classes(values, 7)
    assert label.max() == 6
    assert label.min() == 0
    assert all(np.ptp(label[values == v]) == 0 for v in np.unique(values))
    order = np.argsort(values, kind="stable")
    assert (np.diff(label[order]) >= 0).all()
    assert np.bincount(label).min() > 0.4 * 1800 / 7
    assert_array_equal(cells.classes(np.array([5, 2, 2, 9]), 7), [1, 0, 0, 2])
    times = RNG(2).random(700)
    assert_allclose(np.bincount(cells.classes(times, 7)), 100, atol=1)
    latency = np.array([0.1, np.nan, 0.12, 0.3, np.nan, 0.2])  # silence is a response of its own
    assert_array_equal(cells.latency_classes(latency, 3), [0, 2, 0, 1, 2, 1])


def test_exchanges_keep_cell_and_count_and_shuffled_trials_cell_and_label() -> None:
    counts = RNG(1).poisson(2.0, (200, 3))
    order = cells.exchange_order(counts, RNG(2))
    for cell in range(3):
        assert_array_equal(np.sort(order[:, cell]), np.arange(200))
        assert_array_equal(counts[order[:, cell], cell], counts[:, cell])
        assert (order[:, cell] == np.arange(200)).mean() < 0.2
    values = np.arange(60).reshape(20, 3)
    label = np.repeat(np.arange(4), 5)[RNG(3).permutation(20)]
    mixed = cells.shuffled_within(values, label, RNG(1))
    for cell in range(3):
        for k in range(4):
            assert_array_equal(np.sort(mixed[label == k, cell]), np.sort(values[label == k, cell]))
    rows = {tuple(row) for row in values.tolist()}
    assert sum(tuple(row) in rows for row in mixed.tolist()) < 10  # cells are shuffled independently


def test_excess_variance_is_that_of_the_gain() -> None:
    rng = RNG(4)
    mean = rng.uniform(1, 8, (60, 1, 1))
    gain = rng.gamma(4.0, 0.25, (60, 200, 2))
    gain[:, :, 1] = 1.0
    value, se = posteriors.excess_variance(rng.poisson(mean * gain))
    z = (value - [0.25, 0.0]) / se
    assert np.abs(z).max() < 4
    assert se.max() < 0.02
    fixed, _ = posteriors.excess_variance(np.full((5, 4, 1), 3))
    assert fixed[0] == pytest.approx(-1 / 3)


# --- posteriors ---


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts of one cell with means 2, 10, 25 and a gain of variance .25, n trials each."""
    rng = RNG(seed)
    mean = np.repeat([2.0, 10.0, 25.0], n)
    return rng.poisson(mean * rng.gamma(4.0, 0.25, mean.size))[:, None].astype(float), np.repeat(
        np.arange(3), n
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "bits", "accuracy"),
    [(measures.PoissonMAP(), 0.1399646, 0.7714920), (measures.NegativeBinomialMAP(), 0.8430964, 0.7724865)],
)
def test_cross_entropy_information_of_a_modulated_poisson_cell(
    model: Any, bits: float, accuracy: float
) -> None:
    """Exact sums over the negative binomial distribution: three stimuli of mean 2, 10, 25, gain variance .25."""
    (counts, image), (test, true) = drawn(40_000, 1), drawn(40_000, 2)
    each, right = posteriors.scored(model.fit(counts, image).log_posterior(test), true)
    assert abs(each.mean() - bits) < 4 * each.std() / each.size**0.5
    assert abs(right.mean() - accuracy) < 4 * right.std() / right.size**0.5


def test_the_linear_decoder_is_that_of_gaussian_classes() -> None:
    """With all components, no shrinkage and temperature 1: Bayes' rule for Gaussians with the pooled covariance."""
    rng = RNG(6)
    image = np.repeat(np.arange(3), 40)
    centre = np.array([[0.0, 0], [2, 1], [0, 3]])
    noise = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 2]], 120)
    features, test = centre[image] + noise, rng.normal(1, 2, (15, 2))
    fold = np.tile([0, 1], 60)
    log_q = posteriors.linear(
        features, image, fold, test, components=(2,), shrinkages=(0.0,), temperatures=(1.0,)
    )  # fmt: skip
    mean = np.array([features[image == k].mean(axis=0) for k in range(3)])
    inner = features - mean[image]
    density = np.array([stats.multivariate_normal.pdf(test, m, inner.T @ inner / 117) for m in mean]).T
    q = density / density.sum(axis=1, keepdims=True)
    assert_allclose(np.exp(log_q), (1 - 1 / 120) * q + 1 / 360, rtol=1e-8)


# --- claims on made-up tables ---


def made_up(**changes: Any) -> pd.DataFrame:
    """A table on which all central claims hold; `changes` replaces means of quantities."""
    v = {
        "latency": 1.3, "count": 1.1, "fano": 0.5, population.COUNTS: 2.5, population.SHUFFLED: 2.5,
        population.MIXED: 2.5, population.LATENCY: 2.4, population.BOTH: 3.0, population.EXCHANGED: 2.6, population.BINS: 3.0,
        population.POISSON: 2.4, population.NB: 2.6, "null": 0.0,
    } | changes  # fmt: skip
    rng = RNG(8)
    rows: list[dict[str, Any]] = []

    def add(part: str, quantity: str, value: float, **more: Any) -> None:
        rows.append({"part": part, "quantity": quantity, "value": value, **more})

    for cell in range(30):
        one = {"cell": cell}
        shared = 0.2 * rng.standard_normal()
        for code in ("latency", "count"):
            for bias in ("panzeri-treves", "quadratic"):
                value = v[code] + shared + 0.02 * rng.standard_normal()
                add("cell", bias, value, code=code, se=0.03, null=v["null"], p=0.005, **one)
        for quantity, value in (("shuffle", 1.0), ("panzeri-treves", 1.0), ("gain", 0.2)):
            add("cell", quantity, value, code="words", x=0.1, se=0.02, p=0.01, **one)
        add("cell", "Fano factor", v["fano"] + 0.05 * rng.standard_normal(), **one)
        add("cell", "excess variance", -0.1, se=0.02, **one)
        add("cell", "gain variance", 0.0, se=0.02, p=1.0, **one)
        for quantity, value in (("responsive", 1.0), ("mean count", 2.0), ("share of gain", 0.0)):
            add("cell", quantity, value, **one)
    large = (f"{arm}, {population.LARGE}" for arm in ("counts", population.SHUFFLED))
    for arm in (*population.ARMS, *large):
        for image in range(40):
            value = v.get(arm, 2.5) + 0.03 * rng.standard_normal() + 0.3 * np.sin(image)
            add("decoder", "bits", value, code=arm, image=image)
            add("decoder", "accuracy", 0.6, code=arm, image=image)
        add("decoder", "calibration error", 0.1, code=arm, se=0.01)
        add("decoder", "mean confidence", 0.5, code=arm)
    for where in ("", " within blocks"):
        add("correlation", "mean over pairs" + where, 0.02, null=0.0, se=0.001, p=0.005)
        for pair in ("pair", "pair, shuffled"):
            for x in rng.normal(0, 0.05, 20):
                add("correlation", pair + where, x)
    add("correlation", "drift ratio", 0.3)
    return pd.DataFrame(rows, columns=config.COLUMNS)


@pytest.mark.slow
def test_central_claims_hold_and_fail_one_by_one() -> None:
    assert not failing(study, made_up(), central=True)
    assert sum(claim.central for claim in study.claims(made_up())) == 6
    broken: list[tuple[str, dict[str, float]]] = [
        (config.LATENCY_ABOVE_COUNT, {"null": 1.3}),  # latencies are no better than after shuffling
        (config.TIMING_ADDS, {population.BOTH: -0.3, population.EXCHANGED: -1.0}),
        (config.MAJORITY, {population.LATENCY: -0.3, population.BINS: -1.0}),
        (config.NB_CALIBRATED, {population.NB: -0.5, population.POISSON: -2.0}),
        (config.CORRELATIONS_SMALL, {population.SHUFFLED: -0.5, population.COUNTS: -0.5}),
        (config.SUB_POISSON, {"fano": 1.0}),
        (config.LATENCY_ABOVE_COUNT, {"latency": 1.1}),
        (config.TIMING_ADDS, {population.BOTH: 2.6}),
        (config.MAJORITY, {population.LATENCY: 1.4}),
        (config.NB_CALIBRATED, {population.NB: 2.4}),
        (config.CORRELATIONS_SMALL, {population.SHUFFLED: 2.65}),
        (config.CORRELATIONS_SMALL, {population.SHUFFLED: 2.35}),
    ]
    for claim, change in broken:
        assert failing(study, made_up(**change), central=True) == [claim]


# --- made-up responses ---


SMALL: dict[str, Any] = {
    "images": 12, "cells": 8, "shuffles": 30, "check_shuffles": 1, "exchanges": 19, "bins": (0.1,), "n_folds": 3, "inner_folds": 2,
    "components": (4,), "shrinkages": (0.1, 0.5), "temperatures": (1.0, 2.0), "draws": 1,
}  # fmt: skip


@lru_cache
def block() -> neo.Block:
    """12 images, 15 repeats, 8 cells: counts are less variable than Poisson, and latencies differ between images."""
    rng = RNG(9)
    mean, onset = rng.uniform(1, 6, (12, 8)), rng.uniform(0.11, 0.19, (12, 8))
    trials = []
    for image in np.repeat(np.arange(12), 15):
        number = rng.binomial(8, mean[image] / 8)
        first = onset[image] + 0.004 * rng.standard_normal(8)
        trials.append([t + 0.012 * np.arange(n) for t, n in zip(first, number, strict=True)])
    made = to_block(trials, t_stop=300 * pq.ms)
    for k, segment in enumerate(made.segments):
        segment.annotate(label=k // 15, repeat=k % 15)
    return made


@pytest.mark.slow
def test_the_study_finds_what_is_in_made_up_responses() -> None:
    """And nothing in them with shuffled labels."""
    found, shuffled = (
        failing(study, study.tabulated(block(), study.Config(**SMALL, sabotage=sabotage)), central=True)
        for sabotage in ("", "labels shuffled")
    )
    assert not {config.LATENCY_ABOVE_COUNT, config.TIMING_ADDS, config.SUB_POISSON} & set(found)
    assert config.NB_CALIBRATED in found
    assert len(shuffled) == 6


def test_exchanged_times_leave_counts_as_they_are() -> None:
    small = study.Config(**SMALL)
    own = cells.responses(block(), small)
    spoilt = cells.responses(block(), dataclasses.replace(small, sabotage="times exchanged"))
    assert_array_equal(own.counts, spoilt.counts)
    assert not np.array_equal(own.latency, spoilt.latency, equal_nan=True)
    assert_array_equal(np.isnan(own.latency), np.isnan(spoilt.latency))
