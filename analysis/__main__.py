"""`python -m analysis` lists the studies; `python -m analysis NAME ... [--quick]` runs some of them, or `all`."""

from __future__ import annotations

import argparse
import dataclasses
import os
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import pandas as pd

from nsnn_neuro import NsnnError, provenance

from . import full_runs, harness, listing
from . import overview as index
from .shared import recordings

EVERY = 20.0
"""seconds between progress lines of each study when several run"""


def main(argv: list[str] | None = None) -> int:
    """Run the command. Return 0; 1 if a central claim failed; 2 for bad input; 3 if one of several studies crashed."""
    parser = argparse.ArgumentParser(prog="python -m analysis", description=__doc__)
    parser.add_argument(
        "studies", nargs="*", metavar="NAME", help="names of studies, or 'all'; default: list the studies"
    )
    parser.add_argument("--quick", action="store_true", help="small, fast run with larger errors")
    parser.add_argument("--seed", type=int, help="seed of the study (default: that of its Config)")
    parser.add_argument("--seeds", type=int, help="number of seeds (default: that of the study's Config)")
    parser.add_argument(
        "-o", "--results", type=Path, default=Path("results"), help="folder for results (default: results)"
    )
    parser.add_argument(
        "--sabotage", help="run with one of the study's sabotages, under which its claims must fail"
    )
    parser.add_argument(
        "--jobs", type=int, help="number of studies that run in parallel (default: one per core)"
    )
    parser.add_argument(
        "--keep-verdict",
        action="store_true",
        help="write the verdict of this full run into analysis/full_runs.json",
    )
    parser.add_argument(
        "--from-table",
        action="store_true",
        help="verdicts from the kept table of the study's full run, without a run",
    )
    try:
        return run(parser.parse_args(argv))
    except NsnnError as error:
        print(f"analysis: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("analysis: interrupted; parts that were finished are not done again", file=sys.stderr)
        return 130


def run(arguments: argparse.Namespace) -> int:
    """List the studies, or run those that the arguments name; the exit status as of `main`.

    Raises
    ------
    NsnnError : unknown study or sabotage; a study without its extra or recordings; a folder for results that cannot be written
    """
    names = list(dict.fromkeys(arguments.studies))
    if not names:
        print(*listing.lines(), sep="\n")
        return 0
    keep_verdict = getattr(arguments, "keep_verdict", False)  # not an option of `nsnn study`
    single = f"--sabotage {arguments.sabotage}" if arguments.sabotage else "--keep-verdict" * keep_verdict
    if single and (len(names) != 1 or names == ["all"]):
        raise NsnnError(f"{single}: expected a single study with it")
    if keep_verdict and getattr(arguments, "seeds", None) is not None:
        raise NsnnError("--keep-verdict: expected the study's own number of seeds, without --seeds")
    if getattr(arguments, "from_table", False):
        return _from_table(names, arguments)
    if arguments.jobs is not None and arguments.jobs < 1:
        raise NsnnError(f"--jobs {arguments.jobs}: expected 1 or more")
    if "all" in names:
        modules = [m for m in map(harness.find, harness.studies()) if _can_run(m)]
    else:
        modules = [harness.find(name) for name in names]
        for study in modules:
            for obstacle in _obstacles(study):
                raise NsnnError(f"study = {harness.name_of(study)!r} {obstacle}")
    _check_folder(arguments.results)
    for study in modules:
        for absent in recordings.absent(getattr(study, "RECORDINGS", ())):
            print(f"{harness.name_of(study)}: {absent}", file=sys.stderr)
    if len(names) > 1 or "all" in names:
        return _several(modules, arguments)
    if keep_verdict:  # an error before the run, which may take an hour
        config = dataclasses.asdict(_config(modules[0], arguments))
        full_runs.check(names[0], config, provenance()["git_revision"])
    outcome = _run(modules[0], arguments)
    if keep_verdict:
        full_runs.keep(outcome)
        if hasattr(modules[0], "PAPER"):
            print("python -m analysis.full_runs writes the new verdict into the README")
    return 0 if all(claim.holds for claim in outcome.claims if claim.central) else 1


def _check_folder(results: Path) -> None:
    """Create the folder for results, and raise NsnnError if nothing can be written to it."""
    try:
        results.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=results):
            pass
    except OSError as error:
        reason = "that is a file" if results.is_file() else f"can't be written ({error.strerror})"
        text = f"results folder {results.absolute()}: {reason}: expected another folder, -o FOLDER"
        raise NsnnError(text) from None


def _several(modules: list, arguments: argparse.Namespace) -> int:
    """Run studies in parallel, each in its own process; skip those that have finished with the same code."""
    start, codes = time.perf_counter(), []
    jobs = arguments.jobs or os.cpu_count() or 1
    with ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(run_in_process, study, arguments): harness.name_of(study) for study in modules}
        try:
            for done in as_completed(running):
                code, text = done.result()
                codes.append(code)
                print(text, flush=True)
                outcome = {0: "claims hold", 1: "a claim FAILS"}.get(code, "crashed")
                line = f"{running[done]}: {outcome}; {len(codes)} of {len(modules)}"
                print(f"[{time.perf_counter() - start:5.0f} s] {line}", file=sys.stderr, flush=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    print(f"overview of all studies: {index.write(arguments.results)}")
    return max((3 if code not in (0, 1) else code for code in codes), default=0)


def run_in_process(study, arguments: argparse.Namespace) -> tuple[int, str]:
    """Run one study in a process. Return its exit status and output; the end of its error output if it crashed."""
    name, config = harness.name_of(study), _config(study, arguments)
    record = harness.finished(study, config, arguments.results)
    if record is not None:
        failed = [claim["text"] for claim in record["claims"] if claim["central"] and not claim["holds"]]
        lines = [f"{name}: already finished with the same code", *(f"  FAILS  {text}" for text in failed)]
        return int(bool(failed)), "\n".join(lines)
    program = ["analysis"] if harness.IN_CHECKOUT else ["nsnn_neuro.cli", "study"]
    command = [sys.executable, "-m", *program, name, "-o", str(arguments.results.resolve())]
    command += ["--quick"] * arguments.quick
    for option in ("seed", "seeds"):
        if (value := getattr(arguments, option, None)) is not None:
            command += [f"--{option}", str(value)]
    variables = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # one core per study
    if not harness.IN_CHECKOUT:  # where the working directory is not this package's
        variables["PYTHONSAFEPATH"] = "1"
    errors: list[str] = []
    with subprocess.Popen(
        command,
        cwd=Path(__file__).resolve().parents[1] if harness.IN_CHECKOUT else None,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        reader = threading.Thread(target=forward_progress, args=(child.stderr, name, errors))
        reader.start()
        output = child.stdout.read() if child.stdout else ""
        reader.join()
    crashed = child.returncode not in (0, 1) or not output
    output += "".join(errors)[-2000:] if crashed else ""
    return 3 if crashed else child.returncode, f"== {name}: {study.CLAIM}\n{output}"


def forward_progress(lines: Iterable[str], name: str, collected: list[str]) -> None:
    """Collect the error output of a study's process, and print its progress at most every `EVERY` seconds."""
    last = time.monotonic()
    for line in lines:
        collected.append(line)
        if line.startswith("[") and time.monotonic() - last >= EVERY:
            last = time.monotonic()
            print(f"{name} {line}", end="", file=sys.stderr, flush=True)


def _config(study, arguments: argparse.Namespace):
    """The study's configuration with the options of the command line."""
    chosen = {
        name: value
        for name in ("quick", "seed", "seeds", "sabotage")
        if (value := getattr(arguments, name, None)) is not None and hasattr(study.Config, name)
    }
    if chosen.get("seeds", 2) < 2:
        raise NsnnError(f"--seeds {chosen['seeds']}: expected 2 or more, over which differences are paired")
    return study.Config(**chosen)


def _obstacles(study) -> Iterator[str]:
    """A line for the extra and for each set of recordings without which the study cannot run, if absent."""
    if needs := harness.missing(study):
        yield f"needs {needs}: pip install {needs}"
    yield from recordings.absent(getattr(study, "REQUIRED", ()), "cannot run without")


def _can_run(study) -> bool:
    """Whether nothing that a study needs is absent; print lines if not."""
    lines = [f"{harness.name_of(study)}: skipped, {obstacle}" for obstacle in _obstacles(study)]
    print(*lines, sep="\n", end="\n" * bool(lines), file=sys.stderr)
    return not lines


def _run(study, arguments: argparse.Namespace) -> harness.Outcome:
    config = _config(study, arguments)
    start = time.perf_counter()

    def progress(text: str) -> None:
        print(f"[{time.perf_counter() - start:5.1f} s] {text}", file=sys.stderr, flush=True)

    print(f"{harness.name_of(study)}: {study.CLAIM}", file=sys.stderr)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        outcome = harness.execute(study, config, arguments.results, progress)
    index.write(arguments.results)
    _show(outcome.summary, outcome.claims)
    report = outcome.folder.resolve() / "report.html"
    print(f"\nreport, to open in a browser: {report}  ({outcome.seconds:.0f} s)")
    return outcome


def _from_table(names: list[str], arguments: argparse.Namespace) -> int:
    """Print the verdicts of a study from its kept table; 1 if a central claim fails."""
    if len(names) != 1 or names == ["all"]:
        raise NsnnError(f"--from-table with {', '.join(names)}: expected a single study")
    study = harness.find(names[0])
    if hasattr(study, "kept_table"):
        table = study.kept_table(_config(study, arguments))
    else:
        table, run = full_runs.table(names[0])
        print(f"Full run of {run['finished'][:10]}, revision {run['revision']}\n")
    claims = study.claims(table)
    for title, rows in study.tables(table).items() if hasattr(study, "tables") else ():
        print(f"{title}:\n{rows.to_string(index=False)}\n")
    _show(study.summary(table) if hasattr(study, "summary") else table, claims)
    return 0 if all(claim.holds for claim in claims if claim.central) else 1


def _show(summary: pd.DataFrame, claims: list[harness.Claim]) -> None:
    """Print the summary, and each claim with its verdict and evidence."""
    print(summary.to_string(index=False))
    print()
    for central, title in ((True, "Claims"), (False, "Secondary claims")):
        group = [claim for claim in claims if claim.central == central]
        print(title + (":" if group else ": none"))
        for claim in group:
            print(f"  {'holds' if claim.holds else 'FAILS'}  {claim.text}\n         {claim.evidence}")


if __name__ == "__main__":
    sys.exit(main())
