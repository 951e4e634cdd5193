"""Claims must be able to fail: `harness.verify` raises under each sabotage. Other studies are tested in their own files."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.studies import failing

import nsnn_neuro as nsnn
from analysis import harness

# study, what makes a quick run smaller, the sabotage, the central claim that fails
CASES: list[tuple[str, dict[str, Any], str, str]] = [
    ("threshold_bridge", {"spikes": 20_000, "steps": (1e-4,)}, "bridge off", "within 1 % of Siegert's rate"),
    (
        "estimator_benchmark",
        {"repeats": 3, "per_response": (1.0, 4.0, 8.0), "trials": (20,), "samples": (500,), "bins": (6,), "few": (20,)},
        "stimuli shuffled",
        "words, four trials per response",
    ),
    ("surrogate_rationale", {}, "another density", "equals a published surrogate gradient"),
    (
        "fit_recordings",
        {"betas": (0.0,), "ridges": (1.0,), "n_folds": 2, "sound": ((8, 20.0),), "past": ((12, 40.0),), "settings": (),
         "shifts": (0.0, 0.5, 1.0, 1.5, 2.0), "widths": (0.0, 1e-3, 4e-3), "trials": 10, "n_hidden": 0, "seconds": 5.0,
         "functions": 5, "grasshoppers": (1,), "punits": (), "relays": (), "calibrated": ()},
        "noise off",
        "exceeds that of the deterministic neuron on every",
    ),
    (
        "information_transfer",
        {"trials": 16, "copies": (2, 4, 2), "sigmas": (0.75, 1.5, 6.0)},
        "noise off",
        "equals that of the Fokker-Planck",
    ),
    ("neural_sampling", {"scales": (2.0,), "sweeps": 1280}, "weights not symmetric", "the rate of each neuron"),
    ("neural_sampling", {"scales": (2.0,), "sweeps": 1280}, "noise too low", "with tau = 1 the network is a Gibbs sampler"),
    ("neural_sampling", {"scales": (2.0,), "sweeps": 1280}, "evidence off", "the rate of each neuron"),
    ("network_states", {"states": ("AI",), "generations": 1, "fed": 10}, "synapses cut", "the rate is within"),
    ("population_code", {}, "noise private", "information saturates"),
    (
        "rate_vs_temporal",
        {"seeds": 4, "together": 4, "apart": 1, "sigmas": (0.5, 32.0)},
        "times shuffled",
        "words at the finest resolution carry more",
    ),
    ("spike_cost", {"pools": (1, 2), "costs": (0.0, 0.5)}, "noise not learned", "two or more units keep some noise"),
    ("spike_cost", {"pools": (1, 2), "costs": (0.0, 0.5)}, "density of another noise", "equals finite differences"),
    ("spike_cost", {"pools": (1, 2), "costs": (0.0, 0.5)}, "cost ignored", "the searches end at the maximum"),
    (
        "stochastic_resonance",
        {"replicates": 2, "presentations": 4000, "trials": 100, "pools": (1, 2), "ratios": (0.2, 1.0)},
        "labels shuffled",
        "LIF: information about the subthreshold signal is larger",
    ),
    (
        "variability_reliability",
        {"seeds": 4, "trials": 12, "seconds": 1.2, "recordings": False},
        "input not frozen",
        "the deterministic neuron has identical trials",
    ),
    (
        "variability_reliability",
        {"seeds": 4, "trials": 12, "seconds": 1.2, "recordings": False},
        "theory of another sigma",
        "the CV equals Siegert's",
    ),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "small", "sabotage", "claim"), CASES, ids=[f"{case[0]}, {case[2]}" for case in CASES]
)
def test_a_claim_fails_under_a_sabotage(
    name: str,
    small: dict[str, Any],
    sabotage: str,
    claim: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """It holds in quick runs, see test_quick_runs.py; only recordings of the package are used."""
    monkeypatch.setenv("NSNN_SHARED_DATA", str(tmp_path))
    study = harness.find(name)
    if harness.missing(study):
        pytest.skip(f"needs {study.NEEDS}")
    config = study.Config(quick=True, sabotage=sabotage)
    for field, value in small.items():
        object.__setattr__(config, field, value)
    with np.errstate(all="ignore"):
        assert claim in "\n".join(failing(study, study.run(config), central=True))


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_without_learning_no_information_is_gained(monkeypatch: pytest.MonkeyPatch) -> None:
    study = harness.find("learning_and_information")
    monkeypatch.setitem(study.LAYERS, "hidden", 16)
    monkeypatch.setattr(nsnn, "train", functools.partial(nsnn.train, engine="numpy"))
    small = {"seeds": 2, "epochs": (0, 1), "repeats": 2, "every": 64, "n_steps": 6}
    spoilt = study.run(study.Config(**small, sabotage="learning off"))
    assert "more information about the class after learning" in "\n".join(failing(study, spoilt))
    first, last = (spoilt[spoilt.epochs == epochs].accuracy.tolist() for epochs in (0, 1))
    assert first == last
