"""Verdicts of full runs, kept in full_runs.json: claims, evidence, date and revision of the newest full run of each study.

`python -m analysis NAME --keep-verdict` writes the verdict of a full run of committed code. The overview page, the site and the
README show these verdicts, so that a quick run never stands for a full one.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from nsnn_neuro import NsnnError

from .harness import Claim, Outcome, replacing

__all__ = ["PATH", "keep", "read", "word"]

PATH = Path(__file__).with_name("full_runs.json")


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


def keep(outcome: Outcome, path: Path = PATH) -> None:
    """Write the verdict of a run into `path`, in place of the study's earlier one.

    Raises
    ------
    NsnnError : the run was quick, had a sabotage, or its code was not committed
    """
    run = json.loads((outcome.folder / "run.json").read_text(encoding="utf-8"))
    revision = run.get("git_revision") or "unknown"
    reasons = {
        "a quick run": run["config"].get("quick"),
        "a run with a sabotage": run["config"].get("sabotage"),
        f"a run of code that is not committed (revision {revision})": revision == "unknown"
        or "+dirty" in revision,
    }
    for reason, applies in reasons.items():
        if applies:
            raise NsnnError(
                f"{outcome.name} was {reason}: only the verdict of a full run of committed code is kept"
            )
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    claims = [dataclasses.asdict(claim) for claim in outcome.claims]
    kept[outcome.name] = {
        "finished": run["finished"],
        "revision": revision[:10],
        "seconds": run["seconds"],
        "claims": claims,
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
