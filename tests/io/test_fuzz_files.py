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
CASES = dict.fromkeys(KINDS, 15) | {"nwb": 80, "toml": 30}
TIMES = int(os.environ.get("NSNN_FUZZ") or 1)


def ran(folder, plan):
    """The reports of a process that has run a plan: lists of a kind, its first case and its last."""
    here = Path(__file__).resolve().parents[1]
    coded = base64.b64encode(json.dumps(plan).encode()).decode()
    done = subprocess.run(
        [sys.executable, str(here / "helpers" / "fuzz" / "run.py"), str(folder), coded],
        env=os.environ | {"PYTHONPATH": f"{here.parent}{os.pathsep}{here}", "NSNN_DEBUG": "0"},
        capture_output=True,
        text=True,
        timeout=600 * TIMES,
    )
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-2000:]}"
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("kinds", [["nwb"], [kind for kind in CASES if kind != "nwb"]], ids="+".join)
def test_files_that_are_damaged_or_made_to_harm(tmp_path, kinds):
    *reports, last = ran(tmp_path, [[kind, 0, CASES[kind] * TIMES] for kind in kinds])
    print(*reports, last, sep="\n")  # for docs/security.md
    assert [problem for report in reports for problem in report["wrong"]] == []
    assert {report["kind"]: sum(report["counts"].values()) for report in reports} == {
        kind: CASES[kind] * TIMES for kind in kinds
    }
    for report in reports:  # some are refused, and some are fine
        assert 0 < report["counts"].get("refused", 0) < sum(report["counts"].values())
    assert last["peak"] < 1.5e9
