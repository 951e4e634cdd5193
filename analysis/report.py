"""The report of a study: run.json, figures as PNG, and a self-contained report.html."""

from __future__ import annotations

import base64
import dataclasses
import html
import inspect
import json
import math
import platform
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from nsnn_neuro import provenance

from .harness import Claim, Outcome, checksum, replacing

STYLE = """
:root { --ink: #1b1f24; --soft: #5c6670; --line: #e3e6ea; --good: #00684a; --bad: #a8201a; --page: #fff;
  --card: #f7f9fa; color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8eb; --soft: #a3adb8; --line: #343b43; --good: #5fd0a5; --bad: #ff8f87; --page: #14171a;
    --card: #1d2226; }
}
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--page);
  max-width: 62rem; margin: 2.5rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.55rem; line-height: 1.3; margin: 0 0 .4rem; }
h2 { font-size: 1.1rem; margin: 2.4rem 0 .6rem; }
.lead { font-size: 1.05rem; max-width: 46rem; margin: 0 0 1rem; }
.about { color: var(--soft); white-space: pre-line; max-width: 46rem; }
figure { margin: 1.4rem 0; } figure img { width: 100%; height: auto; background: #fff; border-radius: 4px; }
figcaption { color: var(--soft); font-size: .92rem; max-width: 46rem; }
ul.claims { list-style: none; padding: 0; }
ul.claims li { border-left: 4px solid var(--good); padding: .25rem .9rem; margin: .55rem 0;
  background: var(--card); overflow-wrap: anywhere; }
ul.claims li.fails { border-color: var(--bad); }
ul.claims b { font-variant: small-caps; letter-spacing: .03em; color: var(--good); } ul.claims .fails b { color: var(--bad); }
ul.claims span { display: block; color: var(--soft); font-size: .9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; width: 100%; }
th, td { text-align: right; padding: .28rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 600; } td:nth-child(2), th:nth-child(2) { text-align: left; }
tr.group td { border-top: 2px solid #c8ced4; }
.quick { border: 1px solid var(--line); background: var(--card); padding: .6rem .9rem; }
ul.claims.open li { border-color: var(--soft); }
@media print {
  body { max-width: none; margin: 0; font-size: 11px; } details { display: none; } figure, tr, li { break-inside: avoid; }
}
footer, details { color: var(--soft); font-size: .85rem; margin-top: 2rem; } pre { white-space: pre-wrap; }
"""


def _table(frame: pd.DataFrame) -> str:
    head = "".join(f"<th>{html.escape(str(c))}</th>" for c in frame.columns)
    body, previous = [], None
    for row in frame.itertuples(index=False):
        group = ' class="group"' if previous is not None and row[0] != previous else ""
        previous = row[0]
        body.append(f"<tr{group}>" + "".join(f"<td>{html.escape(_text(v))}</td>" for v in row) + "</tr>")
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'


def _text(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return "n/a" if math.isnan(value) else f"{value:.4g}"


def _claims(claims: list[Claim], quick: bool) -> str:
    """A list of claims with evidence; with verdicts, unless the run was quick."""
    items = []
    for claim in claims:
        word = "holds" if claim.holds else "fails"
        kind, label = ("", "") if quick else (f' class="{word}"', f"<b>{word}</b> ")
        items.append(
            f"<li{kind}>{label}{html.escape(claim.text)}<span>{html.escape(claim.evidence)}</span></li>"
        )
    return f'<ul class="claims{" open" if quick else ""}">{"".join(items)}</ul>'


def write(
    outcome: Outcome,
    study: ModuleType,
    config: Any,
    figures: dict[str, Figure],
    tables: dict[str, pd.DataFrame],
    headline: str,
) -> None:
    """Write run.json, figure1.png ... and report.html into the outcome's folder, atomically."""
    run = {
        "study": outcome.name,
        "claim": study.CLAIM,
        "config": dataclasses.asdict(config),
        "claims": [dataclasses.asdict(c) for c in outcome.claims],
        "seconds": round(outcome.seconds, 1),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}",
        **provenance(),
        **checksum(),
    }
    with replacing(outcome.folder / "run.json") as path:
        path.write_text(json.dumps(run, indent=2) + "\n", encoding="utf-8")
    parts, quick = [], bool(run["config"].get("quick"))
    for k, (caption, figure) in enumerate(figures.items(), start=1):
        with replacing(outcome.folder / f"figure{k}.png") as path:
            figure.savefig(path, dpi=160)
            image = base64.b64encode(path.read_bytes()).decode()
        parts.append(
            f'<figure><img alt="{html.escape(caption)}" src="data:image/png;base64,{image}">'
            f"<figcaption><b>Figure {k}.</b> {html.escape(caption)}</figcaption></figure>"
        )
    central, others = (_claims([x for x in outcome.claims if x.central == c], quick) for c in (True, False))
    paragraphs = inspect.cleandoc(study.__doc__ or "").split("\n\n")
    about = "\n\n".join(" ".join(p.split()) for p in paragraphs)
    quick_note = (
        '<p class="quick"><b>Quick run, no verdict.</b> Samples are small, and errors large. The full run, '
        f"<code>nsnn study {html.escape(outcome.name)}</code>, gives the verdict.</p>"
    )
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(outcome.name)}</title><style>{STYLE}</style></head><body>
<h1>{html.escape(study.CLAIM)}</h1>
<p class="lead">{html.escape(headline)}</p>
{quick_note if quick else ""}
{parts[0]}
<h2>{"Claims" if quick else "Verdict"}</h2>{central}
{"" if all(claim.central for claim in outcome.claims) else f"<h2>Secondary claims</h2>{others}"}
<h2>Methods</h2><p class="about">{html.escape(about)}</p>
{"".join(parts[1:])}
<h2>Summary</h2>{_table(outcome.summary)}
{"".join(f"<h2>{html.escape(title)}</h2>{_table(frame)}" for title, frame in tables.items())}
<details><summary>Configuration, versions and verdicts</summary><pre>{html.escape(json.dumps(run, indent=2))}</pre></details>
<footer>All numbers come from the run described above. table.csv contains all results; some studies also save spikes (.nwb).
Reproduce the run with <code>nsnn study {html.escape(outcome.name)}</code>.</footer>
</body></html>
"""
    with replacing(outcome.folder / "report.html") as path:
        path.write_text(page, encoding="utf-8")
