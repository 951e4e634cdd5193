"""Files of every kind, damaged and made to harm: a named error or an equal result, in bounded time and memory; no code runs.

By hand: NSNN_FUZZ=20 makes twenty times as many cases (docs/security.md has the counts of such a run).
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

KINDS = ("nwb", "toml", "checkpoint", "sweep", "idx", "zip", "fit", "packed", "calibration", "matrix", "note")
CASES = dict.fromkeys(KINDS, 40) | {"nwb": 100, "toml": 80}
TIMES = int(os.environ.get("NSNN_FUZZ") or 1)


@pytest.mark.slow
def test_files_that_are_damaged_or_made_to_harm(tmp_path):
    here = Path(__file__).resolve().parents[1]
    cases = {kind: number * TIMES for kind, number in CASES.items()}
    plan = json.dumps([[kind, 0, number] for kind, number in cases.items()])  # kind, first case, last
    program = [sys.executable, here / "helpers" / "fuzz" / "run.py", tmp_path]
    done = subprocess.run(
        [*program, base64.b64encode(plan.encode())],
        env=os.environ | {"PYTHONPATH": f"{here.parent}{os.pathsep}{here}", "NSNN_DEBUG": "0"},
        capture_output=True,
        text=True,
        timeout=600 * TIMES,
    )
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-2000:]}"
    *reports, last = map(json.loads, done.stdout.splitlines())
    print(*reports, last, sep="\n")  # for docs/security.md
    assert [problem for report in reports for problem in report["wrong"]] == []
    assert {report["kind"]: sum(report["counts"].values()) for report in reports} == cases
    for report in reports:  # some are refused, and some are fine
        assert 0 < report["counts"].get("refused", 0) < sum(report["counts"].values())
    assert last["peak"] < 1.5e9
