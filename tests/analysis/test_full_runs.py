"""Kept verdicts of full runs: several at once, what is refused, and the README's table of the paper's claims."""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import __main__ as command
from analysis import full_runs, harness, listing
from analysis.harness import Claim, Outcome
from nsnn_neuro import NsnnError

README_PATH = full_runs.README
README = README_PATH.read_text(encoding="utf-8")
TABLES = full_runs.PATH.with_name(full_runs.TABLES)
PAPER = [name for name in listing.studies() if "PAPER" in listing.constants(name)]


def outcome(name: str, folder: Path) -> Outcome:
    """A full run of committed code."""
    (folder / name).mkdir()
    run = {"config": {"quick": False, "sabotage": ""}, "git_revision": "a" * 40}
    run |= {"finished": "2026-01-01T00:00:00", "seconds": 1.0}
    (folder / name / "run.json").write_text(json.dumps(run))
    (folder / name / "table.csv").write_text(f"study,value\n{name},0.1\n")
    return Outcome(name, folder / name, [Claim(f"claim of {name}", True, "1 ± 0")], 1.0, pd.DataFrame())  # fmt: skip


def test_a_run_is_dated_with_its_time_or_without_if_it_is_not_known():
    run = {"finished": "2026-12-04T06:12:29+00:00", "revision": "4408117eb3"}
    for seconds, spent in ((17.6, ", 18 s"), (3547.0, ", 59 min"), (None, "")):
        assert full_runs.when(run | {"seconds": seconds}) == "2026-12-04, revision 4408117eb3" + spent


@pytest.mark.slow
def test_studies_that_finish_at_the_same_time_lose_no_verdict(tmp_path, monkeypatch):
    """Each thread reads the file, and writes it a little later."""
    replacing, start = full_runs.replacing, threading.Barrier(6)

    @contextmanager
    def slowly(path):
        with replacing(path) as temporary:
            yield temporary
            time.sleep(0.05)

    def keep(one):
        start.wait()
        full_runs.keep(one, tmp_path / "full_runs.json")

    monkeypatch.setattr(full_runs, "replacing", slowly)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(keep, [outcome(f"study{k}", tmp_path) for k in range(6)]))
    kept = full_runs.read(tmp_path / "full_runs.json")
    assert sorted(kept) == [f"study{k}" for k in range(6)]
    assert all(kept[name]["claims"][0].text == f"claim of {name}" for name in kept)
    for name in kept:
        table, run = full_runs.table(name, tmp_path / "full_runs.json")
        assert table.to_dict("list") == {"study": [name], "value": [0.1]}
        assert run == {"finished": "2026-01-01T00:00:00", "revision": "a" * 10}

    def refuse(self, *_, **__):
        raise NotImplementedError

    monkeypatch.undo()
    monkeypatch.setattr(full_runs.FileLock, "acquire", refuse)  # as on some network file systems
    full_runs.keep(outcome("study", tmp_path), tmp_path / "full_runs.json")
    assert "study" in full_runs.read(tmp_path / "full_runs.json")


@pytest.mark.parametrize(
    "name", ["natural_images", *sorted(path.name.partition(".")[0] for path in TABLES.glob("*.csv.xz"))]
)
def test_kept_verdicts_are_those_of_the_kept_table(name, capsys):
    """Claims, criteria and numbers are computed anew, without a run."""
    study, run = harness.find(name), full_runs.read()[name]
    if needs := harness.missing(study):
        pytest.skip(f"needs {needs}")
    if hasattr(study, "kept_table"):  # a table for each seed
        table = study.kept_table(study.Config())
    else:
        table, head = full_runs.table(name)
        assert head == {key: run[key] for key in ("finished", "revision")}
    assert study.claims(table) == run["claims"]
    holds = all(claim.holds for claim in run["claims"] if claim.central)
    assert command.main([name, "--from-table"]) == int(not holds)
    assert all(claim.evidence in capsys.readouterr().out for claim in run["claims"][:1])


def test_tables_that_are_not_there_or_damaged_are_named(tmp_path, capsys):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "study.csv.xz").write_bytes(b"no table")
    for name, cure in (("other", "--keep-verdict"), ("study", "delete it")):
        with pytest.raises(NsnnError, match=cure):
            full_runs.table(name, tmp_path / "full_runs.json")
    assert command.main(["threshold_bridge", "robustness", "--from-table"]) == 2
    assert "a single study" in capsys.readouterr().err
    assert sum(path.stat().st_size for path in TABLES.glob("*")) < 2e6


@pytest.mark.parametrize(
    ("options", "revision", "message"),
    [(["--quick"], "abc", "this is a quick run"), ([], None, "not committed")],
)
def test_a_verdict_that_cannot_be_kept_is_refused_before_the_run(
    options, revision, message, monkeypatch, tmp_path, capsys
):
    study = harness.find("threshold_bridge")
    monkeypatch.setattr(study, "run", lambda *_, **__: pytest.fail("the study was run"))
    monkeypatch.setattr(command, "provenance", lambda: {"git_revision": revision})
    assert command.main(["threshold_bridge", "--keep-verdict", "-o", str(tmp_path), *options]) == 2
    assert message in capsys.readouterr().err


def test_the_readme_shows_the_newest_full_runs():
    """`python -m analysis.full_runs` writes its table."""
    assert full_runs.with_table(README, full_runs.read()) == README, "run `python -m analysis.full_runs`"


def test_the_paper_counts_the_verdicts_of_the_newest_full_runs():
    number = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    kept = full_runs.read()
    paper = " ".join((README_PATH.parent / "paper.md").read_text(encoding="utf-8").split())
    words = [full_runs.word(kept[name]["claims"]) for name in PAPER]
    hold, fail = words.count("holds"), words.count("fails")
    part = len(words) - hold - fail
    assert f"test {number[len(words)]} claims of @ma2023" in paper
    assert f"{number[hold]} hold, {number[part]} hold in part, {number[fail]} fails" in paper


def test_the_first_number_is_of_a_central_claim_and_one_that_is_missing_is_named():
    claims = [replace(claim, central=False) for claim in full_runs.read()["retina_code"]["claims"]]
    with pytest.raises(NsnnError, match="retina_code: no central claim"):
        full_runs.number("retina_code", claims)
    claims[0] = replace(claims[0], central=True)
    assert len(full_runs.number("retina_code", claims).split("; ")) == 4
    with pytest.raises(NsnnError, match="linear-nonlinear"):
        full_runs.number("retina_code", claims[:1])
    claim = Claim("the area under the curves of attacks", True, "+1 points")
    with pytest.raises(NsnnError, match=f"robustness: no central claim .* '{claim.text}'"):
        full_runs.number("robustness", [claim])


def test_the_page_of_results_has_the_kept_runs():
    """The counts, date and revision of each row of its table of other studies."""
    page, kept = (README_PATH.parent / "docs" / "results.md").read_text(encoding="utf-8"), full_runs.read()
    rows = re.findall(r"^\| `(\w+)`[^|]*\| ([\d-]+), revision (\w+) \| ([^|]*) \|", page, re.MULTILINE)
    assert len(rows) == 10
    for name, day, revision, counts in rows:
        every = kept[name]["claims"]
        claims = [[c.holds for c in every if c.central is central] for central in (True, False)]
        hold = ", ".join(f"{sum(some)} of {len(some)}" for some in claims if some)
        assert (counts, day, revision) == (hold, kept[name]["finished"][:10], kept[name]["revision"])


def rows_of(page: str, head: str) -> list[list[str]]:
    """Cells of the table of a page whose head begins so; minus signs as hyphens."""
    text = (README_PATH.parent / "docs" / page).read_text(encoding="utf-8").replace("−", "-")
    lines = text[text.index(head) :].splitlines()[2:]
    return [line.strip("| ").split(" | ") for line in itertools.takewhile(lambda one: one[:1] == "|", lines)]


def says(*values: float, digits: int, text: str) -> bool:
    """Whether a text has all of these numbers, rounded."""
    return all(re.search(rf"(?<![\d.]){abs(value):.{digits}f}(?!\d)", text) for value in values)


@pytest.mark.slow
def test_the_sentences_below_the_readmes_table_are_those_of_the_tables():
    """What limits the verdicts of three studies, computed again from what is kept of them."""
    limits = README.partition("What limits these verdicts:")[2].partition("\n## ")[0]
    sentences = {text.split("`")[1]: " ".join(text.split()) for text in limits.split("\n- ") if "`" in text}
    digits = [float(row[5]) for row in rows_of("results.md", "| architecture | data |") if row[1] == "digits"]
    assert len(digits) == 7
    assert max(digits) < 0
    assert says(max(digits), min(digits), digits=2, text=sentences["architectures"])
    assert "all seven combinations" in sentences["architectures"]
    gains: dict[bool, list[float]] = {True: [], False: []}
    for row in rows_of("robustness.md", "| sigma | learning rate |"):
        if row[-1] == "yes":  # learned by both networks
            gains[float(row[0]) <= 0.4].append(float(row[7].split()[0]))
    moderate, strong = (np.mean(gains[key]) for key in (True, False))
    assert says(moderate, strong, digits=1, text=sentences["noise_level"])
    assert np.average([moderate, strong], weights=[6, 4]) == pytest.approx(3.25, abs=0.05)
    study = harness.find("natural_images")
    table = study.kept_table(study.Config())
    summary = study.summary(table).set_index(["disturbance", "strength"]).astype(float)
    for row in rows_of("robustness.md", "| disturbance | D3 | N3 | N-paper |"):
        assert [float(cell) for cell in row[1:]] in summary.to_numpy().tolist(), row
    most = table[(table.passes == table.groupby("kind").passes.transform("max")) & (table.images >= 500)]
    accuracy = 100 * most.groupby(["kind", "arm"]).accuracy.mean()
    worst, clean = accuracy["worst PGD"], accuracy["clean"]
    assert says(worst["D3 noise on"] - worst.D3, worst.MF3 - worst.D3, clean.D3 - clean.D3adv, worst.N3adv,
                digits=1, text=sentences["natural_images"])  # fmt: skip
