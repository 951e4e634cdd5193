"""Overview page results/index.html: claims, verdict, main figure and run time of each study."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

from . import full_runs, harness, listing, report

_STYLE = """
table.paper td { text-align: left; white-space: normal; } table.paper th { text-align: left; }
section { border-top: 1px solid var(--line); padding: 1.1rem 0; display: grid; grid-template-columns: 20rem 1fr; gap: 0 1.6rem; }
section h2 { margin: 0 0 .3rem; } section img { width: 100%; height: auto; } section p { margin: .3rem 0; }
section.none { display: block; } .small { color: var(--soft); font-size: .85rem; }
b.holds { color: var(--good); } b.fails { color: var(--bad); } b.part { color: #8a5a00; }
@media (max-width: 46rem) { section { display: block; } }
"""


def _read(path: Path) -> dict[str, Any] | None:
    """Return the contents of a run.json, or None if it is not a valid one."""
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        contents = {
            "claims": [harness.Claim(**claim) for claim in run["claims"]],
            "quick": bool(run["config"].get("quick")),
            "sabotage": str(run["config"].get("sabotage", "")),
            "seconds": float(run["seconds"]),
            "finished": str(run["finished"]),
            "revision": str(run.get("git_revision") or "unknown").replace("+dirty", ", with changes"),
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return contents | {"folder": path.parent}


def newest(results: Path, name: str) -> dict[str, Any] | None:
    """Return the newest full run of a study, or else its newest quick run; runs with a sabotage are ignored."""
    runs = [run for path in (results / name).glob("*/run.json") if (run := _read(path)) is not None]
    valid = [run for run in runs if not run["sabotage"]]
    return max(valid, key=lambda run: (not run["quick"], run["finished"]), default=None)


def verdict(claims: list[harness.Claim]) -> str:
    """HTML for the verdict on the central claims: all hold, none, or how many."""
    text = full_runs.word(claims)
    return f'<b class="{text if text in ("holds", "fails") else "part"}">{html.escape(text)}</b>'


def _paper_row(
    name: str, study: dict[str, Any], run: dict[str, Any] | None, kept: dict[str, Any] | None
) -> str:
    """A row about a claim of the paper: the verdict of the newest full run, here or kept; never that of a quick run."""
    full = [r for r in (kept, None if run is None or run["quick"] else run) if r is not None]
    newest_run = max(full, key=lambda r: r["finished"], default=None)
    if newest_run is None:
        cells = "<td>no full run yet</td><td></td>"
    else:
        evidence = "; ".join(claim.evidence for claim in newest_run["claims"] if claim.central)
        date, revision = newest_run["finished"][:10], newest_run["revision"]
        cells = (
            f"<td>{verdict(newest_run['claims'])}<br><span class='small'>full run of {html.escape(date)}, revision "
            f"{html.escape(revision)}</span></td><td>{html.escape(evidence)}</td>"
        )
    place = html.escape(name)
    return f'<tr><td>{html.escape(study["PAPER"])}</td><td><a href="#{place}">{place}</a></td>{cells}</tr>'


def _section(name: str, study: dict[str, Any], run: dict[str, Any] | None, results: Path) -> str:
    title = f'<h2 id="{html.escape(name)}">{html.escape(study["CLAIM"])}</h2>'
    if run is None:
        needs = study.get("NEEDS", "")
        extra = f" Requires <code>pip install {html.escape(needs)}</code>." if needs else ""
        return (
            f'<section class="none">{title}<p class="small">Not run yet: <code>nsnn study {html.escape(name)}'
            f"</code>.{extra}</p></section>"
        )
    place = html.escape(run["folder"].relative_to(results).as_posix())
    claims = ""
    for claim in run["claims"]:
        if claim.central:
            word = "holds" if claim.holds else "fails"
            shown = "" if run["quick"] else f'<b class="{word}">{word}</b> '
            claims += f"<li>{shown}{html.escape(claim.text)}</li>"
    scale = "quick run" if run["quick"] else "full run"
    result = "<b>quick run, no verdict</b>" if run["quick"] else verdict(run["claims"])
    return (
        f'<section><a href="{place}/report.html"><img loading="lazy" alt="main figure of {html.escape(name)}" '
        f'src="{place}/figure1.png"></a><div>{title}<p>{result}</p><ul>{claims}</ul>'
        f'<p class="small"><a href="{place}/report.html">report</a>, {scale} of {html.escape(run["finished"][:10])}, '
        f"{run['seconds']:.0f} s, revision {html.escape(run['revision'])}; "
        f"<code>nsnn study {html.escape(name)}{' --quick' if run['quick'] else ''}</code></p></div></section>"
    )


def write(results: Path) -> Path:
    """Write index.html with the newest runs in the folder `results`, atomically; return its path."""
    names = harness.studies()
    # constants in the source, as importing all studies would take seconds
    studies = {name: listing.constants(name) or vars(harness.find(name)) for name in names}
    runs = {name: newest(results, name) for name in names}
    kept = full_runs.read()
    rows = "".join(
        _paper_row(name, study, runs[name], kept.get(name))
        for name, study in studies.items()
        if study.get("PAPER")
    )
    order = sorted(names, key=lambda name: runs[name] is None)
    sections = "".join(_section(name, studies[name], runs[name], results) for name in order)
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Studies: effects of noise on neural codes</title><style>{report.STYLE}{_STYLE}</style></head><body>
<h1>Studies: effects of noise on neural codes</h1>
<p class="lead">Each study states falsifiable claims with pass criteria. Verdicts come from full runs; a quick run gives none.
Failed claims are shown as failed.</p>
<h2>Claims of the paper</h2>
<p class="small">Ma, Yan and Tang 2023, doi 10.1016/j.patter.2023.100831, paraphrased. Verdicts: of the newest full run.</p>
<div class="scroll"><table class="paper"><thead><tr><th>claim</th><th>study</th><th>verdict</th><th>evidence</th></tr></thead>
<tbody>{rows}</tbody></table></div>
<h2>Studies</h2>
{sections}
</body></html>
"""
    results.mkdir(parents=True, exist_ok=True)
    path = results / "index.html"
    with harness.replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path
