"""Population codes: each claim can fail, each sabotage is noticed, the study's own arithmetic against slow or simple versions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.io
from helpers.studies import assert_each_can_fail, changed, failing
from scipy import stats

from analysis import population_code as study
from analysis.population_code import simulation, verdicts
from analysis.shared import recordings as studied
from nsnn_neuro import FormatError, theory


@pytest.fixture(scope="module")
def theory_alone():
    """What theory says, with estimates that scatter by their standard errors: no simulation."""
    config, rng, rows = study.Config(quick=True), np.random.default_rng(3), []
    for population in range(5):
        for condition in verdicts.CONDITIONS:
            shared = 0.0 if condition == "private" else config.shared
            gain = np.ones(32)
            if condition == "mixed":
                gain[3::4] = -1
            drive = rng.uniform(*config.drives, 32)
            for n in config.sizes:
                whole, single = simulation.linear_response(config, drive[:n], gain[:n], shared)
                information = whole * (1 + 0.02 * rng.normal())
                best = stats.norm.cdf(config.ds * np.sqrt(information) / 2)
                right = simulation.trained(config.ds * np.sqrt(information), n, 120)
                rows.append(
                    {
                        "population": population, "condition": condition, "part": "model", "neurons": n, "trials": 150,
                        "information": information, "se": 0.02 * whole, "shuffled": single, "theory": whole,
                        "theory shuffled": single, "right": right, "right se": 0.005, "right at best": best,
                        "right at best se": 0.005, "right if trained": right,
                        "limit": config.bound if condition == "equal" else np.inf,
                    }
                )  # fmt: skip
        for trials in config.few:
            for plug in (6.0, 6.5):
                rows.append(
                    {
                        "population": population, "condition": "equal", "part": "few trials", "neurons": 16,
                        "trials": trials, "plug-in": plug, "information": 2.3 + 0.2 * rng.normal(), "all trials": 2.3,
                        "se": 0.02,
                    }
                )  # fmt: skip
        for n in simulation.CELLS:
            rows.append(
                {
                    "population": population, "condition": "retina", "part": "retina", "neurons": n,
                    "information": n * (5 + 0.1 * rng.normal()), "se": 0.1, "shuffled": 5.1 * n,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


# a claim's words -> part, condition, size, column and the factor that breaks it
BROKEN = {
    "private noise: information is proportional": ("model", "private", 32, "information", 0.3),
    "information saturates": ("model", "equal", 32, "information", 1.5),
    "at every size at most": ("model", "equal", 16, "information", 2.0),
    "gains of both signs: 32": ("model", "mixed", 32, "information", 0.2),
    "linear response predicts": ("model", "private", 8, "theory", 1.3),
    "shuffling trials more than doubles": ("model", "equal", 32, "shuffled", 0.2),
    "a discriminant never exceeds": ("model", "mixed", 16, "right", 0.93),
    "plug-in estimate is too high": ("few trials", "equal", 16, "information", 0.5),
    "shuffling repeats changes": ("retina", "retina", 16, "shuffled", 1.5),
    "no saturation up to 16 cells": ("retina", "retina", 16, "information", 0.6),
}


def test_each_claim_has_a_counterexample(theory_alone):
    sound, broken = theory_alone, {}
    for words, (part, condition, n, column, factor) in BROKEN.items():
        where = {"part": part, "condition": condition, "neurons": n}
        broken[words] = changed(sound, column, lambda old, by=factor: old * by, **where)
    assert {claim.holds for claim in study.claims(sound)} == {True}
    assert len(study.claims(sound)) == len(BROKEN)
    assert_each_can_fail(study, sound, broken)
    # a discriminant above the bound, and a plug-in estimate without bias
    at = {"part": "model", "condition": "equal", "neurons": 4}
    above = changed(sound, ["right", "right if trained"], lambda right: right + 0.05, **at)
    unbiased = sound.assign(**{"plug-in": sound.information})
    for table, words in ((above, "never exceeds"), (unbiased, "plug-in estimate is too high")):
        assert any(words in text for text in failing(study, table, central=True))


def test_exponents_of_power_laws():
    sizes = np.array([4, 8, 16, 32])
    frame = pd.DataFrame([3.0 * sizes, 0.1 * sizes**0.5, [1, -1, 1, 1]], columns=sizes)
    np.testing.assert_allclose(verdicts.exponents(frame), [1, 0.5, np.nan], atol=1e-12)


@pytest.mark.slow
def test_linear_response_of_many_equal_neurons_is_the_noise_of_the_stimulus():
    """N equal neurons: 1/I = 1/(N i) + 2 tau sigma^2 c / T, i a neuron's own; without shared noise N times a neuron's."""
    config = study.Config()
    one, _ = simulation.linear_response(config, np.full(1, 20.0), np.ones(1), 0.0)
    for n in (1, 10, 1000):
        drive, ones = np.full(n, 20.0), np.ones(n)
        assert simulation.linear_response(config, drive, ones, 0.0)[0] == pytest.approx(n * one, rel=1e-9)
        whole, single = simulation.linear_response(config, drive, ones, config.shared)
        assert single == pytest.approx(n * one, rel=1e-9)
        cell = {"tau_m": 0.02, "v_thresh": 20.0, "v_reset": 10.0, "tau_refrac": 0.002}
        slope = theory.siegert_gain(20.0, 3.5, **cell)  # per mV; a finite ds makes 1 part in 1000
        noise = 2 * 0.02 * 3.5**2 * config.shared
        own = slope**2 / (
            theory.siegert_cv(20.0, 3.5, **cell) ** 2 * theory.siegert_rate(20.0, 3.5, **cell)
            - slope**2 * noise
        )
        assert whole == pytest.approx(config.window / (1 / (n * own) + noise), rel=5e-3)
    assert config.bound == pytest.approx((0.3 + 0.06) / noise)
    # differences of pairs of opposite gains are free of the shared noise, and what is private is less
    gain = np.tile([1.0, -1.0], 20)
    drive = np.full(40, 20.0)
    with_noise, without = (simulation.linear_response(config, drive, gain, c)[0] for c in (0.2, 0.0))
    assert with_noise > without


@pytest.mark.slow
def test_the_predicted_cost_of_training_is_that_of_a_discriminant():
    """1,000 discriminants, each fitted to Gaussian trials: right trials in expectation, exactly, by each one's own normal law."""
    rng, n, trials, d_prime = np.random.default_rng(0), 16, 24, 2.5
    mean = np.zeros(n)
    mean[0] = d_prime
    right = []
    for _ in range(1000):
        a, b = rng.normal(size=(trials, n)), rng.normal(size=(trials, n)) + mean
        w = np.linalg.solve(np.cov(a.T) + np.cov(b.T), b.mean(0) - a.mean(0))
        middle, size = w @ (a.mean(0) + b.mean(0)) / 2, np.linalg.norm(w)
        right.append((stats.norm.cdf(middle / size) + stats.norm.cdf((w @ mean - middle) / size)) / 2)
    assert np.mean(right) == pytest.approx(simulation.trained(d_prime, n, trials), abs=0.008)
    assert simulation.trained(d_prime, n, 1e9) == pytest.approx(stats.norm.cdf(d_prime / 2))
    assert np.mean(right) < simulation.trained(d_prime, n, 1e9) - 0.05
    assert simulation.trained(0.0, n, trials) == 0.5


def test_an_invalid_retina_file_is_rejected(tmp_path, monkeypatch):
    place = tmp_path / "salamander_retina_movie"
    place.mkdir()
    monkeypatch.setenv("NSNN_SHARED_DATA", str(tmp_path))
    assert studied.retina() is None
    (place / "SOURCE.txt").write_text("made up")
    path = place / "original_data_num_neurons_50_1.mat"
    with pytest.raises(FormatError, match="can't be read"):
        studied.retina()
    for data in (np.zeros((5, 50)), np.full((297 * 953, 50), 2, np.uint8)):
        scipy.io.savemat(path, {"data": data})
        with pytest.raises(FormatError, match="zeros and ones"):
            studied.retina()
    path.write_bytes(b"not a file of that kind" * 20)
    with pytest.raises(FormatError, match="can't be read"):
        studied.retina()
