"""The page of benchmarks by release, from the files of `make bench` in benchmarks/runs.

python docs/site/speed.py [FOLDER]     # print the page, or say which file is wrong
"""

from __future__ import annotations

import html
import importlib
import re
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RUNS = ROOT / "benchmarks" / "runs"
MOST = 6  # releases in the table

sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
results: Any = importlib.import_module("comparison")
_MARK = re.compile(r"([\\`*_{}\[\]()#+!|])")
_HEAD = """# Benchmarks by release

Ratios of times: ours divided by the other software's, medians of repeats that alternate in one run (`make bench`). Where both sides
have a value, such as a rate, it is compared; a row whose values differ is marked **WRONG**, and its times mean nothing. The goals
and what the tasks are: [performance](performance.md). Columns measured on different machines or with other versions of the peers
differ for that reason, too.
"""
_NONE = (
    "\nNo run of a release is kept yet. `make bench` on committed code writes one to `benchmarks/runs/`.\n"
)


def load(folder: Path = RUNS) -> list[Any]:
    """The runs in a folder, oldest first.

    Raises
    ------
    FormatError : a file is damaged, or of a run that cannot stand for a release: quick, or of code that is not committed
    """
    runs = []
    for path in sorted(folder.glob("*.json")):
        run = results.read_run(path)
        if run.quick or not run.revision or "+" in run.revision:
            what = "a quick run" if run.quick else "a run of code that is not committed"
            raise results.FormatError(
                f"{path}: {what}: expected a full run of `make bench` on committed code"
            )
        runs.append(run)
    return sorted(runs, key=lambda run: datetime.fromisoformat(run.started))


def shown(text: str) -> str:
    """Text from a file as literal text of a Markdown page, in a cell of a table too."""
    return _MARK.sub(r"\\\1", html.escape(text, quote=False))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table of cells that are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def newest(runs: Sequence[Any]) -> list[Any]:
    """The newest run of each version, those of the last MOST versions, oldest first."""
    by_version: dict[str, Any] = {}
    for run in runs:  # oldest first: a later run of a version replaces an earlier one and moves to the end
        by_version.pop(run.version, None)
        by_version[run.version] = run
    return list(by_version.values())[-MOST:]


def title(run: Any) -> str:
    """Version and date of a run."""
    return f"{shown(run.version)} ({run.started[:10]})"


def ratio(row: Any | None) -> str:
    """The cell of a comparison in the table of ratios."""
    if row is None:
        return ""
    if row.missing:
        return shown(row.missing)
    text = results.ratio_text(row.ratio) if row.ratio is not None else results.spread(row.ours)
    return f"{text} **WRONG**" if row.verdict == "WRONG" else text


def ratios(script: str, runs: Sequence[Any]) -> str:
    """The table of one script: a line per comparison, a column per run; times in s where there is no peer."""
    by_run = [
        {(row.name, row.peer): row for row in (run.scripts[script].rows if script in run.scripts else ())}
        for run in runs
    ]
    keys = dict.fromkeys(key for rows in reversed(by_run) for key in rows)  # in the order of the newest run
    cells = [
        [shown(name), shown(peer), *(ratio(rows.get((name, peer))) for rows in by_run)] for name, peer in keys
    ]
    failed = [
        f"- {title(run)}: the script failed: {shown(run.scripts[script].error)}\n"
        for run in runs
        if script in run.scripts and run.scripts[script].error
    ]
    listed = table(["task", "compared with", *(title(run) for run in runs)], cells) if cells else ""
    return listed + ("\n" + "".join(failed) if failed else "")


def details(run: Any) -> str:
    """Times, spread and values of one run."""
    rows = []
    for script in run.scripts.values():
        for row in script.rows:
            peer = results.spread(row.theirs) if row.theirs else shown(row.missing)
            ours = results.spread(row.ours) if row.ours else ""
            values = shown(str(row.agreement)) if row.agreement else ""
            verdict = f"**{row.verdict}**" if row.verdict == "WRONG" else row.verdict
            verdict = "" if row.missing or not (row.peer or row.agreement) else verdict
            rows.append([shown(row.name), shown(row.size), ours, shown(row.peer), peer, values, verdict])
    return table(["task", "size", "ours", "compared with", "its time", "values, ours first", "they"], rows)


def machines(runs: Sequence[Any]) -> str:
    """Machine, load and versions of each run."""
    out = []
    for run in runs:
        loads = [script.load for script in run.scripts.values() if script.load is not None]
        load = f"load before the scripts {min(loads):.1f} to {max(loads):.1f}" if loads else "load unknown"
        facts = "; ".join(
            f"{name.replace('_', ' ')} {value}" for name, value in run.machine.items() if name != "load"
        )
        versions = ", ".join(f"{name} {value}" for name, value in run.versions.items())
        out.append(
            f"- {title(run)}, revision `{run.revision[:10]}`: {shown(facts)}; {load}; {shown(versions)}\n"
        )
    return "".join(out)


def page(runs: Sequence[Any]) -> str:
    """The page of some runs, oldest first; it says so where there is none."""
    columns = newest(runs)
    if not columns:
        return _HEAD + _NONE
    parts = [_HEAD]
    for script in dict.fromkeys(name for run in reversed(columns) for name in run.scripts):
        parts.append(f"\n## {shown(script)}\n`python benchmarks/{script}.py`\n\n{ratios(script, columns)}")
    last = columns[-1]
    parts.append(
        f"\n## Times of the newest run\n{title(last)}: median (range) over repeats.\n\n{details(last)}"
    )
    parts.append(f"\n## Machines\n{machines(columns)}")
    return "".join(parts)


if __name__ == "__main__":
    try:
        print(page(load(*map(Path, sys.argv[1:2]))))
    except results.FormatError as error:
        sys.exit(f"speed: {error}")
