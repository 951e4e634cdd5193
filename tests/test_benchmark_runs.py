"""The file that `make bench` writes: its checks, the runner, scripts with and without their peers. Nothing here asserts a speed."""

from __future__ import annotations

import doctest
import importlib
import math
import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from helpers.benchmark_runs import FOLDER, ROOT, example_run, modules

from nsnn_neuro.core.errors import FormatError, NsnnError

SHARED = {
    "comparison",
    "environment",
    "timing",
    "run",
    "engine_cases",
    "engine_peers",
    "scaling_page",
}  # imported, not run


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    with modules() as imported:
        yield imported


@pytest.fixture
def example(bench: Any) -> Callable[..., Any]:
    return partial(example_run, bench.comparison)


def test_a_run_is_read_as_it_was_written(bench: Any, example: Any, tmp_path: Path) -> None:
    bench.comparison.write_run(tmp_path / "run.json", example())
    assert bench.comparison.read_run(tmp_path / "run.json") == example()
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_values_agree_to_four_errors_and_the_slack(bench: Any) -> None:
    def verdict(*values: float) -> str:
        c = bench.comparison
        return c.Comparison("a", "", (1.0,), "b", (1.0,), c.Agreement("v", *values)).verdict

    assert verdict(1.0, 1.0) == "agrees"
    assert verdict(1.0, 1.4, 0.1, 0.01) == "agrees"
    assert verdict(1.0, 1.42, 0.1, 0.01) == "WRONG"
    assert verdict(1.0, 0.58, 0.1, 0.01) == "WRONG"
    assert verdict(math.nan, 1.0, 1.0) == "WRONG"
    assert verdict(1.0, 1.0, math.nan) == "WRONG"
    assert bench.comparison.Comparison("a", "", (1.0,)).verdict == "not compared"


def test_the_ratio_is_of_medians(bench: Any) -> None:
    row = bench.comparison.Comparison("a", "", (1.0, 2.0, 30.0), "b", (8.0, 6.0, 1.0))
    assert row.ratio == pytest.approx(2 / 6)
    assert "ratio 1/3" in str(row)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"format": 1', '"format": 2'),
        ('"rows"', '"raws"'),
        ("+00:00", ""),
        ('"quick"', '"more": 1, "quick"'),
        ("{", "["),
    ],
)
def test_damaged_files_are_refused_by_name(
    bench: Any, example: Any, tmp_path: Path, old: str, new: str
) -> None:
    path = tmp_path / "run.json"
    with pytest.raises(FormatError, match=r"run\.json: No such file"):
        bench.comparison.read_run(path)
    bench.comparison.write_run(path, example())
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(FormatError, match=r"run\.json: .*make bench"):
        bench.comparison.read_run(path)


def test_examples_of_the_module_run(bench: Any) -> None:
    failed, attempted = doctest.testmod(bench.comparison, optionflags=doctest.ELLIPSIS)
    assert attempted > 4
    assert failed == 0


# --- the runner ---

GOOD = """
import argparse, sys
from comparison import Agreement, Comparison, Report, add_options
parser = argparse.ArgumentParser()
parser.add_argument("--full", action="store_true")
add_options(parser)
given = parser.parse_args()
name = "quick" if given.quick else "full" if given.full else "default"
Report(given.json).add(Comparison(name, "", (1.0,), "peer", (2.0,), Agreement("rate", 3.0, VALUE)))
"""


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A script that works, one that fails after a comparison, one that writes no comparison, a silent one, one that differs."""
    monkeypatch.setenv("PYTHONPATH", f"{FOLDER}{os.pathsep}{ROOT}")
    texts = {
        "good": GOOD.replace("VALUE", "3.0"),
        "fails": GOOD.replace("VALUE", "3.0") + "raise SystemExit('no more memory')\n",
        "garbage": "import sys\nopen(sys.argv[2], 'w').write('{}')\n",
        "silent": "",
        "differs": GOOD.replace("VALUE", "4.0"),
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    return {name: tmp_path / f"{name}.py" for name in texts}


@pytest.mark.slow
def test_a_run_goes_on_after_a_script_that_fails_and_continues_where_it_stopped(
    bench: Any, example: Any, scripts: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    out, fresh = tmp_path / "made" / "run.json", example(scripts={})
    options = {"good": ("--full",)}
    written: list[list[str]] = []
    keep = bench.run.write_run
    monkeypatch.setattr(
        bench.run, "write_run", lambda path, run: (keep(path, run), written.append([*run.scripts]))
    )
    done = bench.run.run(scripts, out, fresh, full=options)
    assert written == [list(scripts)[: k + 1] for k in range(5)]  # after each script
    assert bench.comparison.read_run(out) == done
    assert [row.name for row in done.scripts["good"].rows] == ["full"]
    assert done.scripts["fails"].error == "exit status 1: no more memory"
    assert len(done.scripts["fails"].rows) == 1
    assert done.scripts["silent"].error == "it reported no comparison"
    assert "rows.jsonl" in done.scripts["garbage"].error
    printed = capsys.readouterr().out
    assert "== 5/5 differs" in printed
    assert "rate 3, 4; WRONG" in printed
    summary = bench.run.summary(done)
    assert "FAILED fails: exit status 1" in summary
    assert "WRONG differs: default: 1 s; peer: 2 s; ratio 1/2; rate 3, 4; WRONG" in summary
    assert "WRONG good" not in summary
    assert "3 comparisons; the values of 2 agree" in summary

    scripts["fails"].write_text(GOOD.replace("VALUE", "3.0"))
    scripts["good"].write_text("raise SystemExit('repeated')")
    again = bench.run.run(scripts, out, fresh, full=options)
    assert not again.scripts["fails"].error
    assert again.scripts["good"] == done.scripts["good"]
    assert "good: kept from run.json" in capsys.readouterr().out
    repeated = bench.run.run({"good": scripts["good"]}, out, fresh, again=True)
    assert repeated.scripts["good"].error
    assert repeated.scripts["differs"] == done.scripts["differs"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"versions": {"jax": "1"}}, "another versions"),
        ({"machine": {"processor": "Y", "cores": "2"}}, "another processor"),
        ({"revision": "f" * 12}, "another revision"),
        ({"quick": True}, "another quick"),
    ],
)
def test_a_run_on_another_machine_or_code_is_not_continued(
    bench: Any, example: Any, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    out = tmp_path / "run.json"
    bench.comparison.write_run(out, example())
    before = out.read_bytes()
    with pytest.raises(NsnnError, match=f"{message}.*--again"):
        bench.run.run({}, out, example(**changes))
    assert out.read_bytes() == before
    busy = example(machine={**example().machine, "load": "9.0"})
    assert bench.run.continued(out, busy, again=False).scripts == example().scripts
    assert bench.run.continued(out, example(**changes), again=True) == example(**changes)


def test_only_a_full_run_of_committed_code_is_kept_for_a_release(bench: Any) -> None:
    revision = "0123456789abcdef"
    assert bench.run.target("1.2.0", revision, quick=False).parent == FOLDER / "runs"
    assert bench.run.target("1.2.0", revision, quick=False).name == "1.2.0-0123456789.json"
    for other, quick in ((revision, True), (f"{revision}+dirty", False), ("", False)):
        assert bench.run.target("1.2.0", other, quick).parent == ROOT / "results" / "benchmarks"


def test_every_script_is_run_or_has_a_reason(bench: Any) -> None:
    names = {path.stem for path in FOLDER.glob("*.py")}
    assert names == SHARED | set(bench.run.SCRIPTS) | set(bench.run.ELSEWHERE)
    assert {"recovery", "voltage_coverage"} <= set(bench.run.ELSEWHERE)
    for name in bench.run.SCRIPTS:
        assert "add_options(parser)" in (FOLDER / f"{name}.py").read_text(encoding="utf-8")


def test_versions_say_what_is_not_installed(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    find = bench.environment.find_spec
    monkeypatch.setattr(
        bench.environment, "find_spec", lambda name: None if name in ("nest", "jax") else find(name)
    )
    versions = bench.environment.versions()
    assert versions["nest-simulator"] == versions["jax"] == "not installed"
    assert re.match(r"\d+\.\d+", versions["brian2"])
    assert versions["nsnn-neuro"] == importlib.import_module("nsnn_neuro").__version__


# --- the scripts ---


@pytest.mark.slow
def test_a_glm_with_a_penalty_is_wrong(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    script = importlib.import_module("glm")
    monkeypatch.setattr(script, "installed", lambda package: package == "scikit-learn")
    kind = script.LogisticRegression
    for changes, verdict in (({}, "agrees"), ({"C": 1.0}, "WRONG")):
        report = bench.comparison.Report()
        monkeypatch.setattr(
            script, "LogisticRegression", lambda changes=changes, **given: kind(**{**given, **changes})
        )
        script.run(report, 2000, 1)
        assert [(row.peer.split(",")[0], row.verdict, row.missing) for row in report.rows] == [
            ("scikit-learn", verdict, ""),
            ("NeMoS", "not compared", "not installed"),
        ]


@pytest.mark.slow
def test_a_quick_run_writes_a_valid_file_with_the_expected_comparisons(bench: Any, tmp_path: Path) -> None:
    out = tmp_path / "run.json"
    assert bench.run.main(["--quick", "--only", "measures_elephant", "--out", str(out)]) == 0
    run = bench.comparison.read_run(out)
    assert run.quick
    assert run.versions["elephant"]
    assert run.machine["cores"]
    rows = {row.name: row for row in run.scripts["measures_elephant"].rows}
    assert {"Victor-Purpura", "ISI distance", "correlograms of all pairs", "surrogate, jitter"} <= set(rows)
    assert all(row.verdict == "agrees" for row in rows.values() if row.peer and not row.missing)
    assert rows["table of six measures"].peer == ""
