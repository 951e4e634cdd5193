"""`nsnn demo`, `nsnn study` and `nsnn example`: what a user without the repository runs."""

from __future__ import annotations

import importlib
import io
import sys
import types
from pathlib import Path

import pandas as pd
import pytest
from helpers.command import RUN, error, main
from matplotlib.figure import Figure

from nsnn_neuro.core.progress import announce, progress_bar
from nsnn_neuro.studies import harness, listing

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def claim(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that installs a stub as the study `grasshopper`, whose claim holds or fails."""

    def install(holds: bool) -> types.ModuleType:
        study = types.ModuleType("nsnn_neuro.studies.grasshopper", doc="A stub.")
        study.CLAIM, study.Config = "pigs fly", harness.StudyConfig
        study.run = lambda config, out, progress: pd.DataFrame({"seed": [config.seed], "quick": config.quick})
        study.claims = lambda table: [harness.Claim("pigs fly", holds, "10 of 10")]
        study.plot = lambda table: Figure(figsize=(1, 1))
        monkeypatch.setattr(harness, "find", lambda name: study)
        monkeypatch.setattr(harness, "studies", lambda: ["grasshopper"])
        return study

    return install


@pytest.mark.parametrize("name", ["", ".grasshopper", ".shared.recordings", ".__main__"])
def test_studies_of_a_clone_have_two_names_and_exist_once(name) -> None:
    assert importlib.import_module(f"analysis{name}") is importlib.import_module(f"nsnn_neuro.studies{name}")
    assert sum(str(getattr(m, "__file__", "")).endswith("harness.py") for m in {*sys.modules.values()}) == 1


@pytest.mark.parametrize(("holds", "code"), [(True, 0), (False, 1)])
def test_demo_says_where_the_report_is(claim, folder, capsys, holds, code) -> None:
    claim(holds)
    assert main(["demo"]) == code
    out, _ = capsys.readouterr()
    (report,) = (folder / "results" / "grasshopper").glob("*/report.html")
    assert f"report, to open in a browser: {report}" in out
    assert "nsnn study grasshopper" in report.read_text()
    assert (folder / "results" / "index.html").is_file()


def test_study_passes_its_options_on(claim, folder, capsys) -> None:
    claim(True)
    assert main(["study", "grasshopper", "--quick", "--seed", "5", "-o", "here"]) == 0
    (table,) = (folder / "here").glob("grasshopper/*/table.csv")
    assert pd.read_csv(table).to_dict("records") == [{"seed": 5, "quick": True}]
    report = table.with_name("report.html").read_text()
    assert "<code>nsnn study grasshopper</code>, gives the verdict" in report  # no repository is needed
    assert "python -m analysis" not in report


def test_a_study_says_in_a_terminal_that_it_compiles(claim, monkeypatch) -> None:
    """Though its simulations show no bar."""

    def run(config, out, progress):
        with progress_bar(False, "simulating"):
            announce("compiling")
        return pd.DataFrame({"x": [1]})

    claim(True).run = run
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(sys, "stderr", terminal := io.StringIO())
    for is_terminal in (False, True):
        monkeypatch.setattr(terminal, "isatty", lambda is_terminal=is_terminal: is_terminal)
        assert main(["demo"]) == 0
        assert terminal.getvalue().count("compiling") == is_terminal


def test_study_lists_the_studies_and_what_they_need(claim, capsys, folder, monkeypatch) -> None:
    claim(True).NEEDS = "no_such_module"
    (folder / "grasshopper.py").write_text('CLAIM = (\n    "pigs "\n    "fly"\n)\nNEEDS = "no_such_module"\n')
    (folder / "whales").mkdir()
    (folder / "whales" / "__init__.py").write_text("raise ImportError")
    (folder / "whales" / "config.py").write_text('CLAIM = "whales sing"\nSEED = 1\n')
    monkeypatch.setattr(listing, "FOLDER", folder)
    assert main(["study"]) == 0
    pigs, whales = capsys.readouterr().out.splitlines()
    assert pigs.split() == ["grasshopper", "pigs", "fly", "(needs", "no_such_module)"]
    assert whales.split() == ["whales", "whales", "sing"]
    assert main(["study", "grasshopper"]) == 2
    assert error(capsys) == "study = 'grasshopper' needs no_such_module: pip install no_such_module"


def test_study_says_which_recordings_are_absent(claim, folder, capsys, monkeypatch) -> None:
    claim(True).RECORDINGS = ("fly_H1",)
    monkeypatch.setenv("NSNN_SHARED_DATA", str(folder))
    assert main(["study", "grasshopper"]) == 0
    assert "runs without the recordings fly_H1 (neuron H1 of a blowfly" in capsys.readouterr().err


def test_bad_input_is_explained_in_a_line(folder, capsys) -> None:
    assert main(["study", "grashopper"]) == 2
    assert error(capsys).endswith("did you mean 'grasshopper'?")
    (folder / "file").touch()
    assert main(["demo", "-o", "file"]) == 2
    assert (
        error(capsys)
        == f"results folder {folder / 'file'}: that is a file: expected another folder, -o FOLDER"
    )
    assert main(["demo", "-o", "file/results"]) == 2
    assert "can't be written (Not a directory): expected another folder" in error(capsys)
    assert main(["study", "all", "--jobs", "0"]) == 2
    assert error(capsys) == "--jobs 0: expected 1 or more"


def test_an_example_is_copied_and_runs(folder, capsys, monkeypatch) -> None:
    assert main(["example"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "lif.toml    nsnn simulate lif.toml -o run.nwb"
    assert main(["example", "lif.toml"]) == 0
    text = (ROOT / "examples" / "lif.toml").read_text()
    assert (folder / "lif.toml").read_text() == text.replace("examples/lif.toml", "lif.toml")
    capsys.readouterr()
    (folder / "lif.toml").write_text(RUN)
    assert main(["example", "lif.toml"]) == 2
    assert error(capsys) == "lif.toml: exists already; -o FILE names another copy"
    assert (folder / "lif.toml").read_text() == RUN
    assert main(["example", "life.toml"]) == 2
    assert error(capsys).endswith("did you mean 'lif.toml'?")
