"""Verdicts of full runs, kept in full_runs.json: claims, evidence, date and revision of the newest full run of each study.

`python -m analysis NAME --keep-verdict` writes the verdict of a full run of committed code. The overview page, the site, the
notebooks and the README show these verdicts, so that a quick run never stands for a full one. `python -m analysis.full_runs` writes
the README's table of the paper's claims from them. The table of such a run is kept in `tables`, from which `--from-table` computes
the verdicts anew.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock
from pandas.io.formats.style import Styler

from nsnn_neuro import NsnnError

from . import listing
from .harness import Claim, Outcome, replacing
from .shared import kept_tables

PATH = Path(__file__).with_name("full_runs.json")
TABLES = "tables"
"""folder beside `PATH` of the tables of full runs"""
README = Path(__file__).resolve().parents[1] / "README.md"
_HEAD = "| claim | study | verdict | full run | central number, and what limits it |\n|---|---|---|---|---|\n"


def word(claims: list[Claim]) -> str:
    """The verdict on the central claims in words: "holds", "fails" or "2 of 3 claims hold"."""
    central = [claim.holds for claim in claims if claim.central]
    if all(central):
        return "holds"
    return f"{sum(central)} of {len(central)} claims hold" if any(central) else "fails"


def read(path: Path = PATH) -> dict[str, dict[str, Any]]:
    """Return {study: {"claims": list of Claim, "finished", "revision", "seconds"}} of the kept full runs."""
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {name: run | {"claims": [Claim(**claim) for claim in run["claims"]]} for name, run in kept.items()}


def when(run: dict[str, Any]) -> str:
    """Date, revision and time of a run; without its time if it was spread out, as its time is not known."""
    seconds = run["seconds"]
    spent = "" if seconds is None else f", {seconds / 60:.0f} min" if seconds > 90 else f", {seconds:.0f} s"
    return f"{run['finished'][:10]}, revision {run['revision']}{spent}"


def verdicts(name: str) -> Styler:
    """Table of a study's claims with verdict and evidence of its kept full run, central claims first; the caption dates the run.

    Raises
    ------
    NsnnError : no full run of this study is kept
    """
    run = read().get(name)
    if run is None:
        raise NsnnError(f"name = {name!r}: no full run of this study is kept; `nsnn study {name}` does one")
    claims = sorted(run["claims"], key=lambda claim: not claim.central)
    rows = [(one.text, "holds" if one.holds else "fails", one.central, one.evidence) for one in claims]
    table = pd.DataFrame(rows, columns=["claim", "verdict", "central", "evidence"])
    return table.style.hide(axis="index").set_caption(f"Full run of {when(run)}")


def check(name: str, config: dict[str, Any], revision: str | None) -> None:
    """Raise NsnnError if a run is quick, has a sabotage, or its code is not committed: such a run is not kept."""
    reasons = {"a quick run": config.get("quick"), "a run with a sabotage": config.get("sabotage")}
    committed = revision and "+dirty" not in revision
    reasons[f"a run of code that is not committed (revision {revision or 'unknown'})"] = not committed
    for reason, applies in reasons.items():
        if applies:
            raise NsnnError(
                f"{name}: this is {reason}: only the verdict of a full run of committed code is kept"
            )


def keep(outcome: Outcome, path: Path = PATH) -> None:
    """Write the verdict of a run into `path`, in place of the study's earlier one, and its table into `tables` beside it.

    Studies that finish at the same time wait for each other, so that no verdict is lost.

    Raises
    ------
    NsnnError : as of `check`
    """
    run = json.loads((outcome.folder / "run.json").read_text(encoding="utf-8"))
    check(outcome.name, run["config"], run.get("git_revision"))
    verdict = {
        "finished": run["finished"],
        "revision": run["git_revision"][:10],
        "seconds": run["seconds"],
        "claims": [dataclasses.asdict(claim) for claim in outcome.claims],
    }
    head = {key: verdict[key] for key in ("finished", "revision")}
    table = (outcome.folder / "table.csv").read_text(encoding="utf-8")
    with _locked(path):
        kept_tables.write(table, head, _table_file(outcome.name, path))
        kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        kept[outcome.name] = verdict
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _table_file(name: str, path: Path) -> Path:
    return path.with_name(TABLES) / f"{name}.csv.xz"


def table(name: str, path: Path = PATH) -> tuple[pd.DataFrame, dict[str, str]]:
    """The table of a study's kept full run, and {"finished", "revision"} of this run.

    Raises
    ------
    NsnnError : none is kept, or the file is damaged
    """
    file = _table_file(name, path)
    if not file.is_file():
        raise NsnnError(
            f"{name}: no table of a full run is kept: `python -m analysis {name} --keep-verdict` keeps one"
        )
    return kept_tables.read(file)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Wait until no other process writes the file; on a file system without locks, do not wait."""
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    with contextlib.suppress(OSError, NotImplementedError):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def number(name: str, claims: list[Claim]) -> str:
    """The numbers that stand for a study in the README, with their errors, from the evidence of its claims.

    The study's constant PAPER_NUMBER has three texts: the beginning of a central claim, a pattern in its evidence, and what the
    README says, with {} for each group of the pattern. It may have several such triples; those after the first may be of secondary
    claims.

    Raises
    ------
    NsnnError : no claim has such evidence
    """
    given = listing.constants(name)["PAPER_NUMBER"]
    quoted: list[str] = []
    for start, pattern, text in [given] if isinstance(given[0], str) else given:
        candidates = (claim for claim in claims if claim.text.startswith(start) and (claim.central or quoted))
        match = next(filter(None, (re.search(pattern, claim.evidence) for claim in candidates)), None)
        if match is None:
            raise NsnnError(
                f"{name}: no central claim of its full run (or none at all, if it is not the first number) begins with {start!r} "
                f"and has evidence like {pattern!r}: adapt PAPER_NUMBER of the study"
            )
        quoted.append(text.format(*match.groups()))
    return "; ".join(quoted)


def rows(kept: dict[str, dict[str, Any]]) -> list[str]:
    """The rows of the README's table: each claim of the paper with the verdict of the newest kept full run."""
    out = []
    for name in listing.studies():
        if paper := listing.constants(name).get("PAPER"):
            cells = ["no full run yet", "", ""]
            if name in kept:
                claims = kept[name]["claims"]
                verdict = word(claims)  # in bold type, unless all claims hold
                shown = verdict if verdict == "holds" else f"**{verdict}**"
                cells = [shown, kept[name]["finished"][:10], number(name, claims)]
            text = " | ".join(cell.replace("|", "\\|") for cell in [paper, f"`{name}`", *cells])
            out.append(f"| {text} |")
    return out


def with_table(text: str, kept: dict[str, dict[str, Any]]) -> str:
    """The text of the README with the rows of its table written anew.

    Raises
    ------
    NsnnError : the text has no such table
    """
    before, head, after = text.partition(_HEAD)
    if not head:
        raise NsnnError(f"README.md has no table with the head {_HEAD.splitlines()[0]!r}: restore it")
    table = re.match(r"(?:\|.*\n)*", after)
    return before + head + "\n".join(rows(kept)) + "\n" + after[table.end() if table else 0 :]


def write_table(readme: Path = README, path: Path = PATH) -> None:
    """Write the table of the paper's claims into the README.

    Raises
    ------
    NsnnError : there is no README, because this is not a checkout, or it has no such table
    """
    if not readme.is_file():
        raise NsnnError(f"{readme}: no such file: expected a checkout of the repository")
    with replacing(readme) as temporary:
        temporary.write_text(with_table(readme.read_text(encoding="utf-8"), read(path)), encoding="utf-8")


if __name__ == "__main__":
    try:
        write_table()
    except NsnnError as error:
        sys.exit(f"analysis.full_runs: {error}")
