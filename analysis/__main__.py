"""`python -m analysis` lists the studies; `python -m analysis NAME ... [--quick]` runs one or several, NAME `all` every one."""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from nsnn_neuro import NsnnError

from . import harness, index

ROOT = Path(__file__).resolve().parent.parent
EVERY = 20.0
"""seconds between two lines on the progress of one of several studies"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns 0, 1 when a claim failed, 2 for bad input, 3 when one of several studies broke down."""
    parser = argparse.ArgumentParser(prog="python -m analysis", description=__doc__)
    parser.add_argument(
        "studies",
        nargs="*",
        metavar="NAME",
        help="studies' names, or 'all'; without one the studies are listed",
    )
    parser.add_argument("--quick", action="store_true", help="smaller and faster, with larger errors")
    parser.add_argument("--seed", type=int, help="seed of the whole study (default: its Config's)")
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="folder for results (default: results)"
    )
    parser.add_argument(
        "--sabotage", help="spoil the input in one of the study's ways, and see its claims fail"
    )
    parser.add_argument(
        "--jobs", type=int, help="how many of several studies run side by side (default: one for each core)"
    )
    arguments = parser.parse_args(argv)
    names = list(dict.fromkeys(arguments.studies))
    if arguments.sabotage and (len(names) != 1 or names == ["all"]):
        parser.error("--sabotage is for one study: python -m analysis NAME --sabotage ...")
    if arguments.jobs is not None and arguments.jobs < 1:
        parser.error(f"--jobs {arguments.jobs}: expected 1 or more")
    if not names:
        for name in harness.studies():
            print(f"{name:24s} {harness.find(name).CLAIM}")
        return 0
    try:
        if "all" in names:
            return _several([m for m in map(harness.find, harness.studies()) if _can_run(m)], arguments)
        modules = [harness.find(name) for name in names]
        if len(modules) > 1:
            return _several(modules, arguments)
        outcome = _run(modules[0], arguments)
    except NsnnError as error:
        print(f"analysis: {error}", file=sys.stderr)
        return 2
    return 0 if all(claim.holds for claim in outcome.claims if claim.central) else 1


def _several(modules: list, arguments: argparse.Namespace) -> int:
    """Run studies side by side, each in a process of its own; one that has finished with this very code isn't repeated."""
    begun, codes = time.perf_counter(), []
    jobs = arguments.jobs or os.cpu_count() or 1
    with ThreadPoolExecutor(jobs) as pool:
        waiting = {
            pool.submit(_one_of_several, study, arguments): harness.name_of(study) for study in modules
        }
        try:
            for done in as_completed(waiting):
                code, text = done.result()
                codes.append(code)
                print(text, flush=True)
                told = {0: "claims hold", 1: "a claim FAILS"}.get(code, "broke down")
                print(
                    f"[{time.perf_counter() - begun:5.0f} s] {waiting[done]}: {told}; {len(codes)} of {len(modules)}",
                    file=sys.stderr,
                    flush=True,
                )
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    print(f"every study on one page: {index.write(arguments.results)}")
    return max((3 if code not in (0, 1) else code for code in codes), default=0)


def _one_of_several(study, arguments: argparse.Namespace) -> tuple[int, str]:
    """The exit status of a study and what it printed; its last words where it broke down."""
    name, config = harness.name_of(study), _config(study, arguments)
    record = harness.finished(study, config, arguments.results)
    if record is not None:
        failed = [claim["text"] for claim in record["claims"] if claim["central"] and not claim["holds"]]
        return int(bool(failed)), f"{name}: finished before, with this very code" + "".join(
            f"\n  FAILS  {text}" for text in failed
        )
    command = [sys.executable, "-m", "analysis", name, "--results", str(arguments.results.resolve())]
    command += ["--quick"] * arguments.quick + (
        ["--seed", str(arguments.seed)] if arguments.seed is not None else []
    )
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # the cores are shared out already
    errors: list[str] = []
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | threads, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        listening = threading.Thread(target=_listen, args=(child.stderr, name, errors))
        listening.start()
        told = child.stdout.read() if child.stdout else ""
        listening.join()
    broke_down = child.returncode not in (0, 1) or not told
    told += "".join(errors)[-2000:] if broke_down else ""
    return 3 if broke_down else child.returncode, f"== {name}: {study.CLAIM}\n{told}"


def _listen(lines: Iterable[str], name: str, heard: list[str]) -> None:
    """Collect what a study's process says while it runs, and pass on what it is at, from time to time."""
    last = time.monotonic()
    for line in lines:
        heard.append(line)
        if line.startswith("[") and time.monotonic() - last >= EVERY:
            last = time.monotonic()
            print(f"{name} {line}", end="", file=sys.stderr, flush=True)


def _config(study, arguments: argparse.Namespace):
    """The study's configuration with what was said on the command line."""
    chosen = {
        name: value
        for name in ("quick", "seed", "sabotage")
        if (value := getattr(arguments, name)) is not None and hasattr(study.Config, name)
    }
    return study.Config(**chosen)


def _can_run(study) -> bool:
    """Whether the extra that a study needs is there; if not, a line says so."""
    needs = getattr(study, "NEEDS", None)
    if needs is None or importlib.util.find_spec(needs) is not None:
        return True
    print(
        f'{harness.name_of(study)}: left out, as it needs {needs}: pip install -e ".[{needs}]"',
        file=sys.stderr,
    )
    return False


def _run(study, arguments: argparse.Namespace) -> harness.Outcome:
    config = _config(study, arguments)
    begun = time.perf_counter()

    def progress(text: str) -> None:
        print(f"[{time.perf_counter() - begun:5.1f} s] {text}", file=sys.stderr, flush=True)

    print(f"{harness.name_of(study)}: {study.CLAIM}", file=sys.stderr)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        outcome = harness.execute(study, config, arguments.results, progress)
    index.write(arguments.results)
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
