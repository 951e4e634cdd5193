"""The study harness, and the contract that every study in analysis/ keeps."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import time
import types
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from analysis import __main__ as command
from analysis import full_runs, harness, listing, overview
from analysis.harness import Claim, ClaimFailed
from nsnn_neuro import NsnnError

CLAIMS = [Claim("water is wet", True, "10 of 10"), Claim("pigs <fly>", False, "0 ± 0", central=False)]


def test_a_verdict_that_numpy_has_found_can_be_written() -> None:
    claim = Claim("water is wet", np.float64(0.6) >= 0.5, "0.6")
    assert json.loads(json.dumps(dataclasses.asdict(claim)))["holds"] is True


@dataclasses.dataclass(frozen=True)
class Config(harness.StudyConfig):
    size: int = 9

    QUICK: ClassVar[dict[str, Any]] = {"size": 3}


def stub(claims):
    """A study that does nothing, for the harness."""
    study = types.ModuleType("analysis.stub", doc="A stub.\n\nSecond <paragraph>.")
    study.CLAIM = "stubs are studies"
    study.Config = Config
    study.run = lambda config, out=None, progress=None: pd.DataFrame({"x": [config.seed], "value": [0.5]})
    study.claims = lambda table: claims
    study.plot = lambda table: Figure(figsize=(1, 1))
    return study


@pytest.fixture
def install(monkeypatch):
    def add(claims):
        study = stub(claims)
        monkeypatch.setattr(harness, "studies", lambda: ["stub"])
        monkeypatch.setattr(harness, "find", lambda name: study)

    return add


def test_a_study_writes_table_figures_run_and_report(tmp_path):
    study = stub(CLAIMS)
    study.tables = lambda table: {"Parameters": pd.DataFrame({"x": [0.123456, float("nan")]})}
    outcome = harness.execute(study, Config(seed=7), tmp_path, progress=lambda text: None)
    files = {path.name for path in outcome.folder.iterdir()}
    assert files == {"figure1.png", "report.html", "run.json", "table.csv"}
    assert pd.read_csv(outcome.folder / "table.csv").x.tolist() == [7]
    run = json.loads((outcome.folder / "run.json").read_text())
    assert run["config"] == {"seed": 7, "quick": False, "sabotage": "", "size": 9}
    assert "brian2" in run["versions"]
    page = (outcome.folder / "report.html").read_text()
    assert "<td>0.1235</td>" in page
    assert "<td>n/a</td>" in page
    assert "water is wet" in page
    assert "pigs &lt;fly&gt;" in page
    assert "Second &lt;paragraph&gt;." in page
    assert page.count("data:image/png;base64,") == 1
    assert not re.search(r'(src|href)="(?!data:)', page), "the page needs a file or the network"
    quick = harness.execute(study, Config(quick=True), tmp_path, progress=lambda text: None)
    for run, verdict in ((outcome, True), (quick, False)):
        page = (run.folder / "report.html").read_text()
        assert ("<b>holds</b>" in page, "Quick run, no verdict" in page) == (verdict, not verdict)


def test_files_are_replaced_atomically(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(FileExistsError), harness.replacing(path) as temporary:
        temporary.mkdir()
    assert path.read_text() == "old"
    with harness.replacing(path) as temporary:
        temporary.write_text("new")
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]
    assert path.read_text() == "new"


def test_the_table_of_a_finished_run_is_reused(tmp_path, known_code):
    """Unless the code has changed, or its revision is unknown."""
    study, runs = stub(CLAIMS), []
    run = study.run
    study.run = lambda config, **how: runs.append(config) or run(config)
    tables = [harness.result(study, Config(), tmp_path) for _ in range(2)]
    assert len(runs) == 1
    pd.testing.assert_frame_equal(*tables)
    harness.result(study, Config(seed=2), tmp_path)
    assert len(runs) == 2
    for revision in ("abd", "abd+dirty", None):
        known_code["git_revision"] = revision
        for _ in range(2):
            harness.result(study, Config(), tmp_path)
    assert len(runs) == 2 + 1 + 2 + 2
    (tmp_path / "stub" / harness.config_hash(Config()) / "run.json").write_text("{half")
    harness.result(study, Config(), tmp_path)
    assert len(runs) == 8


def parts_of(makers):
    """A study in parts, from {name: what makes its number}."""
    study = stub(CLAIMS)

    def run(config, out=None, progress=None):
        rows = []
        for name, make in makers.items():
            rows += harness.part(out, name, lambda name=name, make=make: [{"x": name, "value": make()}])
        return pd.DataFrame(rows)

    study.run = run
    return study


@pytest.mark.slow
@pytest.mark.usefixtures("known_code")
def test_an_interrupted_study_continues_after_its_last_finished_part(tmp_path):
    made, messages = [], []

    def first():
        made.append("first")
        time.sleep(0.2)
        return np.float32(0.1)

    def stopped():
        raise KeyboardInterrupt

    makers = {"noisy, 0.1": first, "noisy, 0.10": stopped}
    study = parts_of(makers)
    with pytest.raises(KeyboardInterrupt):
        harness.execute(study, Config(), tmp_path, progress=messages.append)
    makers["noisy, 0.10"] = lambda: np.int64(7)
    outcome = harness.execute(study, Config(), tmp_path, progress=messages.append)
    assert made == ["first"]
    assert outcome.seconds >= 0.2  # those of its parts are counted
    assert messages.count("continuing an interrupted run: 1 parts are finished") == 1
    assert pd.read_csv(outcome.folder / "table.csv").value.tolist() == [float(np.float32(0.1)), 7.0]
    assert not (outcome.folder / "parts").exists()
    harness.execute(study, Config(seed=2), tmp_path, progress=messages.append)
    assert made == ["first", "first"]  # another configuration has parts of its own


@pytest.mark.parametrize("change", ["dirty", "versions", "half", "no rows", "name"])
def test_parts_of_other_code_are_computed_again(change, known_code, tmp_path):
    values = iter([1, 2])

    def rows(name="a b"):
        return harness.part(tmp_path, name, lambda: [{"value": next(values)}])

    assert rows() == rows() == [{"value": 1}]
    (path,) = (tmp_path / "parts").iterdir()
    match change:
        case "versions":
            known_code["versions"] = {"numpy": "3"}
        case "half":
            path.write_text(path.read_text()[:-5])
        case "no rows":
            path.write_text(json.dumps(json.loads(path.read_text()) | {"rows": None}))
        case "name":  # another part whose file would have the same name
            assert rows("a-b") == [{"value": 2}]
            return
        case _:
            known_code["git_revision"] = "abc+dirty"
    assert rows() == [{"value": 2}]


def test_a_sabotage_is_passed_to_the_study_and_an_unknown_one_rejected_before_the_run(
    install, tmp_path, capsys
):
    install(CLAIMS[:1])
    study = harness.find("stub")
    with pytest.raises(NsnnError, match="this study has no sabotage"):
        harness.execute(study, Config(sabotage="noise off"), tmp_path)
    study.SABOTAGES = {"noise off": "sigma is 0"}
    study.run = lambda config, **how: pd.DataFrame({"x": [config.sabotage]})
    assert command.main(["stub", "--sabotage", "noise off", "--results", str(tmp_path)]) == 0
    assert "noise off" in capsys.readouterr().out
    study.run = None
    assert command.main(["stub", "--sabotage", "noise", "--results", str(tmp_path)]) == 2
    assert "sabotage = 'noise': expected one of 'noise off'" in capsys.readouterr().err
    assert command.main(["all", "--sabotage", "noise off"]) == 2


def test_verdicts_of_the_kept_full_run_have_the_central_ones_first(monkeypatch):
    run = {"claims": CLAIMS[::-1], "finished": "2026-11-28T12:00", "revision": "abc", "seconds": 90.0}
    monkeypatch.setattr(full_runs, "read", lambda: {"stub": run})
    shown = full_runs.verdicts("stub")
    assert shown.data.claim.tolist() == ["water is wet", "pigs <fly>"]
    assert shown.data.verdict.tolist() == ["holds", "fails"]
    assert "2026-11-28" in shown.caption
    with pytest.raises(NsnnError, match="other"):
        full_runs.verdicts("other")


def test_verify_names_the_central_claims_that_fail():
    harness.verify(stub(CLAIMS), pd.DataFrame())
    with pytest.raises(ClaimFailed, match=r"pigs <fly>: 0 ± 0"):
        harness.verify(stub([dataclasses.replace(c, central=True) for c in CLAIMS]), pd.DataFrame())


@pytest.mark.parametrize(("central", "code"), [(False, 0), (True, 1)])
def test_the_command_reports_verdicts_and_returns_them(central, code, install, tmp_path, capsys):
    install([CLAIMS[0], dataclasses.replace(CLAIMS[1], central=central)])
    assert command.main(["stub", "--results", str(tmp_path)]) == code
    out = capsys.readouterr().out
    assert "holds  water is wet" in out
    assert "FAILS  pigs <fly>" in out
    assert "report.html" in out


@pytest.mark.parametrize(("codes", "status"), [((0, 1), 1), ((2, 0), 3)])
def test_all_ends_with_the_worst_of_its_studies_and_skips_those_without_their_extra(
    codes, status, install, monkeypatch, tmp_path, capsys
):
    """A crashed study gives another status than a failed claim, and does not stop the others."""
    ends = dict(zip(("grasshopper", "threshold_bridge"), codes, strict=True))
    monkeypatch.setattr(harness, "studies", lambda: list(ends))
    monkeypatch.setattr(command, "run_in_process", lambda study, a: (ends[harness.name_of(study)], "output"))
    assert command.main(["all", "--jobs", "2", "--results", str(tmp_path)]) == status
    output = capsys.readouterr()
    assert output.out.count("output\n") == 2
    assert "2 of 2" in output.err
    assert str(tmp_path / "index.html") in output.out
    install(CLAIMS[:1])
    monkeypatch.setattr(command, "run_in_process", lambda study, a: (0, "output"))
    for needs, skipped in (("json", False), ("no_such_module", True)):
        harness.find("stub").NEEDS = needs
        command.main(["all", "--results", str(tmp_path)])
        assert (f"stub: skipped, needs {needs}" in capsys.readouterr().err) is skipped


@pytest.mark.slow
def test_all_runs_each_study_in_its_own_process(install, monkeypatch, tmp_path, capsys):
    """Studies that have finished with the same code are not run again; a crash returns the end of its error output."""
    monkeypatch.setattr(harness, "studies", lambda: ["grasshopper", "surrogate_rationale"])
    monkeypatch.setattr(command, "_can_run", lambda study: harness.name_of(study) == "surrogate_rationale")
    assert command.main(["all", "--quick", "--seed", "3", "--results", str(tmp_path)]) == 0
    output = capsys.readouterr()
    assert "== surrogate_rationale: " in output.out
    (record,) = (tmp_path / "surrogate_rationale").glob("*/run.json")
    run = json.loads(record.read_text())
    assert run["config"]["quick"]
    assert run["config"]["seed"] == 3
    monkeypatch.setattr(harness, "provenance", lambda: {"git_revision": "abc"})
    record.write_text(json.dumps(run | {"git_revision": "abc"}))
    assert command.main(["all", "--quick", "--seed", "3", "--results", str(tmp_path)]) == 0
    assert "surrogate_rationale: already finished" in capsys.readouterr().out
    install(CLAIMS[:1])
    arguments = command.argparse.Namespace(quick=False, seed=None, sabotage=None, results=tmp_path)
    code, output = command.run_in_process(harness.find("stub"), arguments)  # the process knows no such study
    assert code == 3
    assert "study = 'stub'" in output


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Two stubs' folder of results."""
    monkeypatch.setattr(harness, "studies", lambda: ["stub", "other"])
    study, other = stub(CLAIMS), stub(CLAIMS)
    other.__name__, other.CLAIM, other.NEEDS = "analysis.other", "others <are> studies", "torch"
    study.PAPER = "noise is <good>"
    monkeypatch.setattr(harness, "find", lambda name: {"stub": study, "other": other}[name])
    return tmp_path


def change(path, **values):
    """Change values of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_the_index_shows_claims_verdicts_figures_and_missing_runs(results):
    study = harness.find("stub")
    outcome = harness.execute(study, Config(), results, progress=lambda text: None)
    page = overview.write(results).read_text()
    assert "stubs are studies" in page
    assert '<b class="holds">holds</b> water is wet' in page
    assert "others &lt;are&gt; studies" in page
    assert "Not run yet: <code>nsnn study other</code>" in page
    assert "noise is &lt;good&gt;</td>" in page
    links = re.findall(r'(?:src|href)="([^#"][^"]*)"', page)
    assert sorted(set(links)) == [f"stub/{outcome.folder.name}/{n}" for n in ("figure1.png", "report.html")]
    assert all((results / link).is_file() for link in links)
    assert re.findall(r'href="#([^"]*)"', page) == re.findall(r'id="(stub)"', page)


def test_claims_of_the_paper_show_the_newest_full_run_and_never_a_quick_one(results, tmp_path, monkeypatch):
    study = harness.find("stub")
    kept, read = tmp_path / "full_runs.json", full_runs.read
    monkeypatch.setattr(full_runs, "read", lambda: read(kept))
    study.claims = lambda table: [Claim("water is wet", False, "0 of 10")]
    full = harness.execute(study, Config(), results, progress=lambda text: None)
    change(full.folder / "run.json", finished="2026-01-01T00:00:00", git_revision="abc")
    full_runs.keep(full, kept)
    study.claims = lambda table: [Claim("water is wet", True, "10 of 10")]
    quick = harness.execute(study, Config(quick=True), results, progress=lambda text: None)
    change(quick.folder / "run.json", finished="2026-01-02T00:00:00")
    shutil.rmtree(full.folder)
    page = overview.write(results).read_text()
    assert "<b class=\"fails\">fails</b><br><span class='small'>full run of 2026-01-01, revision abc" in page
    assert "0 of 10" in page
    assert ">holds<" not in page
    for holds, expected in (((True, False), "1 of 2 claims hold"), ((True, True), ">holds<")):
        claims = [Claim("a", holds[0], ""), Claim("b", holds[1], ""), Claim("c", False, "", central=False)]
        assert expected in overview.verdict(claims)


@pytest.mark.parametrize(
    ("config", "revision", "message"),
    [(Config(sabotage="off"), "abc", "is a run with a sabotage"), (Config(), "abc+dirty", "not committed")],
)
def test_only_verdicts_of_full_runs_of_committed_code_are_kept(config, revision, message, results):
    study = harness.find("stub")
    study.SABOTAGES = {"off": "nothing happens"}
    outcome = harness.execute(study, config, results, progress=lambda text: None)
    change(outcome.folder / "run.json", git_revision=revision)
    with pytest.raises(NsnnError, match=message):
        full_runs.keep(outcome, results / "full_runs.json")
    assert not (results / "full_runs.json").exists()


@pytest.mark.parametrize("name", harness.studies())
def test_every_study_keeps_the_contract(name):
    study = harness.find(name)
    assert isinstance(study.CLAIM, str)
    assert study.SABOTAGES
    assert all(isinstance(text, str) and text for pair in study.SABOTAGES.items() for text in pair)
    listed = listing.constants(name)  # from the source, without an import
    for constant in ("CLAIM", "NEEDS", "PAPER"):
        assert listed.get(constant) == getattr(study, constant, None)
    assert study.__doc__
    config = study.Config()
    assert config.sabotage == ""
    assert {"seed", "quick"} <= {f.name for f in dataclasses.fields(config)}
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 2
    for function in ("run", "plot", "claims"):
        assert callable(getattr(study, function))
