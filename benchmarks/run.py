"""Runs the benchmarks and writes one JSON file with all their comparisons: `make bench`.

`python benchmarks/run.py [--only SCRIPT ...] [--quick] [--again] [--out FILE]`. The file is written after each script. A script
that fails is noted there with its message, and the next one runs. A run that was stopped continues: scripts that have succeeded are
not repeated, unless `--again` says so. The file of a full run of committed code is benchmarks/runs/VERSION-REVISION.json, where the
site finds it. A run that cannot stand for a release, quick or of changed code, goes to results/benchmarks/.

The exit status is 1 if a script failed or if the values of a comparison differ.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import environment
from comparison import Comparison, Run, Script, printable, read_rows, read_run, write_run

from nsnn_neuro.core.errors import FormatError, NsnnError
from nsnn_neuro.io.provenance import provenance

FOLDER = Path(__file__).resolve().parent
RUNS = FOLDER / "runs"
UNKEPT = FOLDER.parent / "results" / "benchmarks"

SCRIPTS: dict[str, tuple[str, ...]] = {  # script: its options in a full run
    "engine": (),
    "noisy_lif": (),
    "neurons": (),
    "learning": (),
    "conv_epoch": (),
    "measures_elephant": (),
    "information": ("--matrix",),
    "decoding": (),
    "glm": (),
    "fit_neuron": (),
    "large_run": ("--threads", "2"),
    "likelihood": ("--calibrate",),
    "cut": (),
    "import_time": (),
    "first_touch": ("command",),
}
ELSEWHERE = {  # script: why `make bench` does not run it
    "brunel_brian2_nest": "compares rates, not times, for docs/delta_jumps.md; engine.py times this network",
    "recovery": "a study of hours: coverage of intervals, for docs/likelihood.md",
    "regular_spikes": "half an hour of fits: coverage of intervals of regular neurons, for docs/likelihood.md",
    "relay_inputs": "compares held-out scores, not times, for docs/likelihood.md",
    "synaptic_inputs": "six minutes of fits: coverage of intervals with synaptic inputs, for docs/likelihood.md",
    "coloured_noise": "an hour of fits: coverage of intervals in correlated noise, for docs/likelihood.md",
    "driven_noise": "fits: a neuron in noise that grows with the drive, for docs/likelihood.md",
    "joint_gain": "bias and coverage of filters with a shared gain, for docs/likelihood.md",
    "peers": "compares fits with ssm, dynamax and sbi, which it needs; for docs/likelihood.md",
    "poisson_input": "compares sources of Poisson input, for docs/noise.md",
    "recovery_simulation": "hours of fits: coverage of intervals by simulation, for docs/by_simulation.md",
    "fits": "processor time of fits, which has no goal of its own; for docs/likelihood.md",
    "voltage_coverage": "a study of hours: coverage of intervals, for docs/voltage.md",
    "count_coverage": "coverage of intervals of dispersions and shared gains, for docs/likelihood.md",
    "cost_model": "costs of runs and sweeps, checked on sizes that were held out; writes a page of its own",
    "large_file": "memory and bytes of a file of 0.8 GB; writes docs/large_file.json, for docs/performance.md",
    "random_words": "random numbers for batteries of tests, for docs/noise.md",
}


def kept(revision: str, quick: bool) -> bool:
    """Whether a run may stand for a release: a full run of committed code."""
    return not quick and bool(revision) and "+" not in revision


def target(version: str, revision: str, quick: bool) -> Path:
    """The file of a run."""
    name = f"{version}-{revision[:10] or 'unknown'}"
    name += ("-changed" if "+" in revision else "") + ("-quick" if quick else "")
    return (RUNS if kept(revision, quick) else UNKEPT) / f"{name}.json"


def run_script(path: Path, options: Sequence[str]) -> Script:
    """Run one script in its own process, print what it prints, and collect its comparisons."""
    before, begun = environment.load(), time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="nsnn_bench_") as folder:
        rows = Path(folder) / "rows.jsonl"
        rows.touch()
        command = [sys.executable, "-u", str(path), "--json", str(rows), *options]
        last: deque[str] = deque(maxlen=1)
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as process:
            for line in process.stdout or ():
                print(f"   {line}", end="", flush=True)
                last.extend([line.strip()] if line.strip() else [])
        error = ""
        if process.returncode:
            error = printable(f"exit status {process.returncode}: {''.join(last)}")
        made: tuple[Comparison, ...] = ()
        try:
            made = read_rows(rows)
        except FormatError as damage:
            error = error or printable(str(damage))
    if not made and not error:
        error = "it reported no comparison"
    return Script(made, round(time.perf_counter() - begun, 3), before, error)


def continued(out: Path, fresh: Run, again: bool) -> Run:
    """The run that `out` holds, if it may be continued; `fresh` where there is none, or `again` where it may not.

    Raises
    ------
    NsnnError : the file is of another revision, machine or software
    FormatError : the file is damaged
    """
    if not out.exists():
        return fresh
    try:
        earlier = read_run(out)
    except FormatError:
        if again:
            return fresh
        raise
    same = ("version", "revision", "quick", "versions")
    differ = [name for name in same if getattr(earlier, name) != getattr(fresh, name)]
    differ += [k for k, v in fresh.machine.items() if k != "load" and earlier.machine.get(k) != v]
    if differ and again:
        return fresh
    if differ:
        raise NsnnError(
            f"{out}: it is a run with another {', '.join(differ)}: pass --out FILE, or --again to replace it"
        )
    return earlier


def run(
    scripts: Mapping[str, Path], out: Path, fresh: Run, *, again: bool = False, full: Mapping[str, Sequence[str]] = SCRIPTS
) -> Run:  # fmt: skip
    """Run scripts in turn and write `out` after each of them.

    Raises
    ------
    NsnnError, FormatError : `out` exists and cannot be continued
    """
    done = continued(out, fresh, again)
    out.parent.mkdir(parents=True, exist_ok=True)
    for k, (name, path) in enumerate(scripts.items(), start=1):
        if not again and name in done.scripts and not done.scripts[name].error:
            print(f"== {k}/{len(scripts)} {name}: kept from {out.name} (--again repeats it)", flush=True)
            continue
        print(f"== {k}/{len(scripts)} {name}", flush=True)
        result = run_script(path, ("--quick",) if fresh.quick else full.get(name, ()))
        done = replace(done, scripts={**done.scripts, name: result})
        write_run(out, done)
        print(f"   {result.seconds:.0f} s{f'; FAILED: {result.error}' if result.error else ''}", flush=True)
    return done


def summary(run: Run) -> str:
    """What differs, failed or was left out."""
    lines = []
    for name, script in run.scripts.items():
        lines += [f"FAILED {name}: {script.error}"] if script.error else []
        lines += [f"WRONG {name}: {row}" for row in script.rows if row.verdict == "WRONG"]
        lines += [f"missing {name}: {row}" for row in script.rows if row.missing]
    rows = [row for script in run.scripts.values() for row in script.rows]
    agree = sum(row.verdict == "agrees" for row in rows)
    return "\n".join([*lines, f"{len(rows)} comparisons; the values of {agree} agree"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks; 1 if one failed or values differ."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=list(SCRIPTS), default=list(SCRIPTS), metavar="SCRIPT")
    parser.add_argument("--quick", action="store_true", help="small sizes, one repeat: shows that it works")
    parser.add_argument("--again", action="store_true", help="repeat scripts that have results already")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: named by version and revision")
    given = parser.parse_args(arguments)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # of this process and the scripts
        os.environ.setdefault(name, "1")
    revision = provenance()["git_revision"] or ""
    numbers = environment.versions()
    out = given.out or target(numbers["nsnn-neuro"], revision, given.quick)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    fresh = Run(numbers["nsnn-neuro"], revision, started, given.quick, environment.facts(), numbers)
    print(f"{environment.machine()}\nrevision {revision or 'unknown'}; results: {out}", flush=True)
    scripts = {name: FOLDER / f"{name}.py" for name in given.only}
    try:
        done = run(scripts, out, fresh, again=given.again)
    except NsnnError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    print(f"{summary(done)}\nresults: {os.path.relpath(out)}")
    shown = [done.scripts[name] for name in given.only]
    return int(any(s.error or any(r.verdict == "WRONG" for r in s.rows) for s in shown))


if __name__ == "__main__":
    sys.exit(main())
