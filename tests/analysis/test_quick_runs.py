"""Quick runs of the studies: each verifies, and its claims are those of the table in its file."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest
from helpers.quick_runs import quick_table
from helpers.studies import failing

from analysis import codes_of_noise, harness, heterogeneity, recorded_codes
from analysis.shared import recordings

# study -> rows of its summary
STUDIES = {
    "codes_of_noise": 2 * 2 * 4,
    "estimator_benchmark": None,
    "fit_recordings": None,
    "grasshopper": None,
    "heterogeneity": 7,
    "information_transfer": 8,
    "network_states": 4,
    "neural_sampling": 9,
    "population_code": 3 * 4,
    "rate_vs_temporal": 8,
    "recorded_codes": None,
    "spike_cost": 3 * 3,
    "stochastic_resonance": 5,
    "surrogate_rationale": 6,
    "threshold_bridge": None,
    "variability_reliability": 4 * 5,
}
codes, cells = codes_of_noise.config, recorded_codes.config
# claims that few seeds or images decide, of studies that need more for the others
DECIDED = {
    "codes_of_noise": {
        *(codes.TIMING_LOST, codes.SHARED_EQUAL, codes.SHARED_OPPOSITE, codes.READOUT, codes.PROCESSING, codes.CHOICE_LINK)
    },
    "heterogeneity": {heterogeneity.CONTROL},
    "recorded_codes": {cells.SUB_POISSON, cells.LATENCY_ABOVE_COUNT},
}  # fmt: skip

# how central claims begin that fail in quick runs, as they do in the full run
FAIL = {"spike_cost": ("the learned noise falls", "a pool with learned noise is better than every pool")}


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_a_quick_run_verifies_and_its_file_has_the_same_claims(name: str) -> None:
    study = harness.find(name)
    if harness.missing(study):
        pytest.skip(f"needs {study.NEEDS}")
    for absent in recordings.absent(getattr(study, "REQUIRED", ())):
        pytest.skip(absent)
    table = quick_table(study)
    if name in DECIDED:
        assert DECIDED[name].isdisjoint(failing(study, table))
    else:
        failed = failing(study, table, central=True)
        assert [text.startswith(FAIL.get(name, ())) for text in failed] == [True] * len(FAIL.get(name, ()))
    run = Path(os.environ["NSNN_RESULTS"]) / name / harness.config_hash(study.Config(quick=True)) / "run.json"
    written = json.loads(run.read_text())["claims"]
    assert written == [dataclasses.asdict(claim) for claim in study.claims(table)]
    assert STUDIES[name] in (None, len(study.summary(table)))
