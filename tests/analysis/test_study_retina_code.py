"""The retina study: its scores against exact values, its claims on made-up tables, sabotage, and a run on drawn responses."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import recordings
from helpers.studies import failing
from numpy.testing import assert_allclose

from analysis import retina_code as study
from analysis.retina_code import (
    config,
    convolution,
    networks,
    rate_models,
    responses,
    scoring,
    simulation,
    verdicts,
)
from analysis.retina_code.config import ADDED, CNN, GLM, LN, NOISELESS, NOISY, RECORDED, STEPS, SUBUNITS
from analysis.retina_code.rate_models import Settings
from analysis.retina_code.responses import Responses
from nsnn_neuro import datasets

RNG = np.random.default_rng
SMALL: dict[str, Any] = {
    "cells": 4, "hidden": 8, "n_folds": 2, "inner_folds": 2, "epochs": (30,), "ridges": (1.0,), "etas": (0.1,), "batch": 2,
    "seeds": 1, "draws": 8, "inner_draws": 2, "samples": 4, "arms": (NOISY, NOISELESS, ADDED, LN, SUBUNITS, GLM),
}  # fmt: skip


def drawn(n: int = 16, repeats: int = 4, seed: int = 1) -> Responses:
    """Four cells that fire when a feature of theirs is far from 0, noisily."""
    rng = RNG(seed)
    tiles = rng.normal(size=(n, STEPS, 4, config.LAGS, config.SIDE**2))
    x = np.ones((n, STEPS, 4, 3))
    x[..., 1:] = rng.normal(size=(n, STEPS, 4, 2))
    o = RNG(seed + 1).random((n, repeats, STEPS, 4)) < 0.02 + 0.7 * (np.abs(x[:, None, :, :, 1]) > 1.3)
    return Responses(x, tiles, o.astype(float))


# --- models ---


@pytest.mark.parametrize("kind", [SUBUNITS, GLM])
def test_slopes_of_rate_models_are_those_of_their_likelihood(kind: str) -> None:
    """By differences, at random weights; and spikes that are drawn have the model's probability, which with a history needs all."""
    data = drawn(3, 4)
    model = rate_models.fit(kind, data, Settings(1, 0.0, 0.1), 5, 2, 1)
    rng = RNG(3)
    for w in model.weights:
        w += 0.3 * rng.normal(size=w.shape)
    history = model.history(data.o) if kind == GLM else None
    for w, slope in zip(model.weights, model.slopes(data.x, data.o, history), strict=True):
        for index in [tuple(rng.integers(w.shape)) for _ in range(4)]:
            known, values = w[index], []
            for step in (1e-5, -1e-5):
                w[index] = known + step
                values.append(model.log_likelihood(data).sum() / (3 * 4))
            w[index] = known
            assert_allclose(slope[index], (values[0] - values[1]) / 2e-5, rtol=1e-5, atol=1e-8)
    short = Responses(data.x[:1, :2], data.tiles[:1, :2], data.o[:1, :, :2])
    spikes = model.sample(short, 3000, rng)
    shown = np.zeros((3, 1, STEPS, 4))
    shown[0, 0, 0, 0] = 1
    a = model.drive(data.x)[0][0, 1, 0]
    if kind == GLM:
        a += model.history(shown)[:, 0, 0, 1, 0] @ model.weights[1][:, 0]
    p, after = -np.expm1(-np.exp(a)), spikes[0, spikes[0, :, 0, 0] == 1, 1, 0]
    assert abs(after.mean() - p) < 4 * np.sqrt(p * (1 - p) / after.size) + 1e-9


def test_spikes_drawn_from_a_network_have_the_probability_of_its_bound() -> None:
    """The first bin of a cell: without hidden noise exactly, and with it in the mean over many draws."""
    data = drawn(2, 1)
    small = study.Config(**SMALL)
    for noise in (False, True):
        network = networks.fit(drawn(), Settings(1, 1.0, 0.1), small, noise=noise, seed=1)
        one = Responses(data.x[:, :1], data.tiles[:, :1], np.ones((2, 1, 1, 4)))
        p = np.exp(network.scored_by(20_000).log_likelihood(one))[:, 0]
        spikes = network.sample(one, 4000, RNG(2)).mean(axis=(1, 2))
        assert np.abs((spikes - p) / np.sqrt(p * (1 - p) / 4000)).max() < 4
        assert network.with_noise().model.noisy


@pytest.mark.slow
def test_the_convolutional_network_learns_and_is_as_large_as_the_others() -> None:
    pytest.importorskip("torch")
    data = drawn(8, 3)
    tiles = np.zeros_like(data.tiles)
    tiles[..., 0, :] = data.x[..., 1:2]
    shown = Responses(data.x, tiles, data.o)
    model = convolution.fit(shown, Settings(25, 1e-3, 0.02), 3, 1)
    rates = data.o.mean(axis=(0, 1, 2))
    assert scoring.gain(model.log_likelihood(shown), data.o, rates).sum() / data.o.sum() > 0.5
    spikes = model.sample(shown, 50, RNG(1))
    assert abs(spikes.mean() - data.o.mean()) < 0.03
    parameters = {n: 9 * 8 * 5 + 8 + 8 * 72 + 8 + 9 * n for n in (4, 49)}
    assert model.n_parameters == parameters[4]
    assert abs(parameters[49] / (37 * 16 + 17 * 49) - 1) < 0.05


# --- scores ---


def test_gains_are_relative_to_constant_probabilities() -> None:
    o = np.zeros((1, 1, 4, 1))
    o[0, 0, 1] = 1
    logs = np.log([[[0.25 * 0.75**3]]])
    assert_allclose(scoring.gain(logs, o, np.array([0.25])), 0, atol=1e-12)
    assert_allclose(scoring.gain(logs, o, np.array([0.5])), logs + 4 * np.log(2))


@pytest.mark.slow
def test_spikes_drawn_from_the_cell_itself_have_no_excess_distance_and_reach_the_ceiling() -> None:
    p = RNG(1).uniform(0.02, 0.5, (800, 1, STEPS, 2)) ** 2
    one, other = ((RNG(k).random((800, 8, STEPS, 2)) < p).astype(float) for k in (2, 3))
    shifted = np.roll(other, 10, axis=2)
    near, far = (scoring._distances(one[:20, ..., :1], spikes[:20, ..., :1]) for spikes in (other, shifted))
    assert abs(near[0]) < 0.25 < far[0]
    expected = p[:, 0].reshape(800, 10, 3, 2).sum(axis=2).reshape(-1, 2)
    r = scoring._correlations(expected, scoring._psth(one))
    assert_allclose(r, scoring._ceilings(one, 10**9), atol=0.03)
    drawn = scoring._correlations(scoring._psth(other), scoring._psth(one))
    assert_allclose(drawn, scoring._ceilings(one, 8), atol=0.03)
    assert (scoring._ceilings(one, 8) < scoring._ceilings(one, 80)).all()


def test_fano_factors_and_noise_correlations_of_known_counts() -> None:
    counts = np.array([[0, 2, 4], [1, 3, 5]])  # variance 4, mean 2.5
    o = np.zeros((2, 3, STEPS, 2))
    for w, r in np.ndindex(2, 3):
        o[w, r, : counts[w, r], 0] = 1
        o[w, r, : 5 - counts[w, r], 1] = 1
    rows = pd.DataFrame(scoring._variability(o)).set_index("quantity").value
    assert_allclose(rows["Fano factor"], [4 / 2.5, 4 / 2.5])
    assert_allclose(rows["noise correlation"], -1)


# --- claims on made-up tables ---


def made_up(arms: tuple[str, ...] = config.ARMS, **bits: float) -> pd.DataFrame:
    """A table on which all claims hold; `bits` replaces means, in bits per spike or other units."""
    v = {NOISY: 0.43, NOISELESS: 0.3, "exchanged": -0.5, "r": 0.6, "distance": 0.2, "fano": 0.7} | bits
    rng, rows = RNG(1), []

    def add(quantity: str, value: float, **more: Any) -> None:
        rows.append({"quantity": quantity, "value": value, **more})

    for fold, seed, arm in np.ndindex(2, 2, len(arms)):
        name = arms[arm]
        one = {"fold": fold, "seed": seed, "arm": name}
        best = name == NOISY
        for by in ("cell", "window"):
            shared = 0.05 * RNG(fold).normal(size=12)
            for k in range(12):
                here = {**one, "part": "score", by: k, "setting": "a"}
                b = v.get(name, 0.28) + shared[k] + 0.01 * rng.normal()
                add("nats", 50 * b * np.log(2), spikes=50, **here)
                low = v["exchanged"] if best else -0.5
                add("nats, exchanged", 50 * low * np.log(2), spikes=50, **here)
                if by == "window":
                    left = v.get(f"{name}, left out", v.get(name, 0.28)) + shared[k] + 0.01 * rng.normal()
                    add(config.LEFT_OUT_NATS, 25 * left * np.log(2), spikes=25, **here)
                    continue
                noise = 0.01 * rng.normal()
                add("PSTH correlation", (v["r"] if best else 0.5) + noise, **here)
                add("excess distance", (v["distance"] if best else 0.3) + noise, **here)
                add("Fano factor", (v["fano"] if best else 0.9) + noise, **here)
        add("noise correlation", 0.0, **one)
    for fold, k in np.ndindex(2, 12):
        for quantity, value in (("PSTH ceiling", 0.9), ("Fano factor", 0.6)):
            add(quantity, value, fold=fold, arm=RECORDED, cell=k)
    return pd.DataFrame(rows, columns=config.COLUMNS)


@pytest.mark.slow
def test_claims_hold_and_fail_one_by_one() -> None:
    table = made_up()
    assert not failing(study, table, central=True)
    every = {claim.text for claim in study.claims(table)}
    assert len(every) == 3 + 5 + 3
    assert [claim.text for claim in study.claims(table) if claim.central] == [config.PRIMARY]
    assert verdicts.bits(table, NOISY, NOISELESS).value == pytest.approx(0.13, abs=0.005)
    bits = verdicts.bits(table, NOISY).value
    assert f"{bits:.3f} bits per spike with a noisy hidden layer" in study.headline(table)
    assert len(study.summary(table)) == 7
    assert len(study.plot(table).axes) == 3
    nothing = {arm: -0.6 for arm in config.ARMS[2:]}
    changes: list[tuple[dict[str, float], set[str]]] = [
        ({}, set()),
        ({NOISELESS: 0.44}, {config.PRIMARY, config.EACH_SEED, config.LEFT_OUT}),
        ({f"{NOISELESS}, left out": 0.44}, {config.LEFT_OUT}),
        ({GLM: 0.44}, {config.AHEAD.format(GLM)}),
        ({"r": 0.5}, {config.PSTH}),
        ({"distance": 0.3}, {config.DISTANCE}),
        ({"fano": 0.3}, {config.FANO}),
        (nothing | {NOISY: -0.1, NOISELESS: -0.5}, every),  # no information about the stimulus
        (nothing | {"exchanged": 0.43}, every),
    ]
    for change, claims in changes:
        assert set(failing(study, made_up(**change))) == claims


def test_bits_have_the_errors_of_their_clusters() -> None:
    """Of 60 cells with spikes and nats of their own: the jackknife over cells, and Student's quantile."""
    rng = RNG(2)
    spikes, rows = rng.integers(10, 90, 60), []
    nats = spikes * rng.normal(0.3, 0.2, 60)
    for k in range(60):
        rows.append(
            {"seed": 0, "arm": NOISY, "cell": k, "quantity": "nats", "value": nats[k], "spikes": spikes[k]}
        )
    found = verdicts.bits(pd.DataFrame(rows, columns=config.COLUMNS), NOISY)
    left = (nats.sum() - nats) / (spikes.sum() - spikes) / np.log(2)
    se = np.sqrt(59 / 60 * np.sum((left - left.mean()) ** 2))
    assert found.value == pytest.approx(nats.sum() / spikes.sum() / np.log(2))
    assert (found.high - found.value) / 2.001 == pytest.approx(se, rel=0.05)


# --- drawn responses, and the recording ---


@pytest.mark.slow
def test_the_study_finds_what_is_in_drawn_responses() -> None:
    """Cells with two opposite pathways: hidden layers and subunits predict them, a single filter or shuffled windows do not."""
    data = drawn()
    mixed = Responses(data.x[RNG(5).permutation(len(data.x))], data.tiles, data.o)
    table, shuffled = (study.tabulated(shown, study.Config(**SMALL)) for shown in (data, mixed))
    assert len(failing(study, shuffled)) == len(study.claims(shuffled))
    value = {arm: verdicts.bits(table, arm).value for arm in SMALL["arms"]}
    assert min(value[NOISY], value[NOISELESS], value[SUBUNITS]) > 0.5 > 0.2 > max(value[LN], value[GLM])
    assert value[ADDED] not in (value[NOISELESS], value[NOISY])
    assert config.AHEAD.format(LN) not in failing(study, table)
    windows = table[(table.quantity == "nats") & (table.arm == NOISY)].window.dropna()
    assert sorted(windows) == list(range(16))


def test_the_convolutional_network_is_skipped_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "available", lambda: False)
    said: list[str] = []
    small = study.Config(**SMALL | {"arms": (LN, CNN), "epochs": (1,), "samples": 2})
    table = study.tabulated(drawn(4, 2), small, progress=said.append)
    assert set(table.arm) == {LN, RECORDED}
    assert any("convolutional network is skipped: it needs torch" in text for text in said)


@pytest.mark.slow  # reads the recording
def test_features_are_those_of_the_frames_before_a_bin() -> None:
    """Of one cell and bin, from the frames; shuffled windows keep the spikes and move the stimulus."""
    retina = datasets.salamander_retina(recordings.folder(config.SET))
    small = study.Config(cells=3)
    data = responses.of_recording(retina, small)
    assert data.x.shape == (60, STEPS, 3, 37)
    assert data.o.shape == (60, 29, STEPS, 3)
    assert 2263 * 29 < responses.of_recording(retina, study.Config()).o.sum() < 76_128
    frame = int((retina.window_onsets[7] + 0.095) * 30)
    x, y = np.floor(retina.centres_in_frames[1]).astype(int)
    around = retina.frames[frame, max(y - 6, 0) : max(y - 6, 0) + 12, max(x - 6, 0) : max(x - 6, 0) + 12]
    assert_allclose(data.x[7, 9, 1, 25], around.mean() / 127.5 - 1, atol=1e-5)
    shuffled = responses.of_recording(retina, dataclasses.replace(small, sabotage="windows shuffled"))
    assert (shuffled.o == data.o).all()
    assert not np.array_equal(shuffled.x, data.x)
    assert_allclose(np.sort(shuffled.x.sum(axis=(1, 2, 3))), np.sort(data.x.sum(axis=(1, 2, 3))), rtol=1e-6)


def test_settings_are_chosen_by_every_second_cell() -> None:
    """A rate that learns nothing against one that learns; the odd cells, whose spikes here are noise, have no say."""
    data = drawn()
    o = data.o.copy()
    o[..., 1::2] = RNG(6).random(o[..., 1::2].shape) < 0.3
    options = SMALL | {"etas": (1e-6, 0.1)}
    best = simulation.chosen(SUBUNITS, Responses(data.x, data.tiles, o), study.Config(**options))
    assert best == Settings(30, 1.0, 0.1)
