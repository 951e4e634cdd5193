"""`python -m analysis` lists the studies; `python -m analysis NAME [--quick]` runs one, NAME `all` every one."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
import warnings
from pathlib import Path

from nsnn_neuro import NsnnError

from . import harness


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns 0, 1 when a claim failed, 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m analysis", description=__doc__)
    parser.add_argument(
        "study", nargs="?", help="a study's name, or 'all'; without it the studies are listed"
    )
    parser.add_argument("--quick", action="store_true", help="smaller and faster, with larger errors")
    parser.add_argument("--seed", type=int, help="seed of the whole study (default: its Config's)")
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="folder for results (default: results)"
    )
    parser.add_argument(
        "--sabotage", help="spoil the input in one of the study's ways, and see its claims fail"
    )
    arguments = parser.parse_args(argv)
    if arguments.sabotage and arguments.study in (None, "all"):
        parser.error("--sabotage is for one study: python -m analysis NAME --sabotage ...")
    if arguments.study is None:
        for name in harness.studies():
            print(f"{name:24s} {harness.find(name).CLAIM}")
        return 0
    try:
        names = harness.studies() if arguments.study == "all" else [arguments.study]
        modules = [harness.find(name) for name in names]
        if arguments.study == "all":
            modules = [module for module in modules if _can_run(module)]
        outcomes = [_run(module, arguments) for module in modules]
    except NsnnError as error:
        print(f"analysis: {error}", file=sys.stderr)
        return 2
    central = [claim for outcome in outcomes for claim in outcome.claims if claim.central]
    return 0 if all(claim.holds for claim in central) else 1


def _can_run(study) -> bool:
    """Whether the extra that a study needs is there; if not, a line says so."""
    needs = getattr(study, "NEEDS", None)
    if needs is None or importlib.util.find_spec(needs) is not None:
        return True
    name = study.__name__.rpartition(".")[2]
    print(f'{name}: left out, as it needs {needs}: pip install -e ".[{needs}]"', file=sys.stderr)
    return False


def _run(study, arguments: argparse.Namespace) -> harness.Outcome:
    chosen = {
        name: value
        for name in ("quick", "seed", "sabotage")
        if (value := getattr(arguments, name)) is not None and hasattr(study.Config, name)
    }
    config = study.Config(**chosen)
    begun = time.perf_counter()

    def progress(text: str) -> None:
        print(f"[{time.perf_counter() - begun:5.1f} s] {text}", file=sys.stderr, flush=True)

    print(f"{study.__name__.rpartition('.')[2]}: {study.CLAIM}", file=sys.stderr)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        outcome = harness.execute(study, config, arguments.results, progress)
    print(outcome.summary.to_string(index=False))
    print()
    for central, title in ((True, "Claims"), (False, "Also asked")):
        group = [claim for claim in outcome.claims if claim.central == central]
        print(title + (":" if group else ": nothing"))
        for claim in group:
            print(f"  {'holds' if claim.holds else 'FAILS'}  {claim.text}\n         {claim.evidence}")
    print(f"\nreport: {outcome.folder / 'report.html'}  ({outcome.seconds:.0f} s)")
    return outcome


if __name__ == "__main__":
    sys.exit(main())
