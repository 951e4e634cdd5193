"""Damaged files of every kind that the package reads, from a fixed seed; a program that test_fuzz_files runs.

    python tests/helpers/fuzz/run.py FOLDER PLAN

PLAN is base64 of a JSON list of [kind, first, last]. Case number k is made from the seed (20260, kind, k) alone. Each case ends in
a named error or in an equal result, in less than 20 s of CPU time; the program prints one line of JSON with the counts, what went
wrong, the slowest case and the peak of memory.
"""

from __future__ import annotations

import base64
import contextlib
import json
import resource
import shutil
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from helpers.fuzz.image_files import idx_cases, zip_cases
from helpers.fuzz.mutations import Case
from helpers.fuzz.notes import note_cases
from helpers.fuzz.npz_files import checkpoint_cases, fit_cases, packed_cases
from helpers.fuzz.nwb_files import nwb_cases
from helpers.fuzz.recovery_files import calibration_cases, matrix_cases
from helpers.fuzz.sweep_folders import sweep_cases
from helpers.fuzz.toml_files import toml_cases

MOST_SECONDS = 20.0
# what none of the readers has any business with; a subprocess asks git for the revision, outside the guard
_FORBIDDEN = (
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "subprocess.Popen",
    "pickle.find_class",
    "ctypes.dlopen",
)
_guarded = False


KINDS: dict[str, Callable[[Path], Callable[[int], Case]]] = {
    "nwb": nwb_cases,
    "toml": toml_cases,
    "checkpoint": checkpoint_cases,
    "sweep": sweep_cases,
    "idx": idx_cases,
    "zip": zip_cases,
    "fit": fit_cases,
    "packed": packed_cases,
    "calibration": calibration_cases,
    "matrix": matrix_cases,
    "note": note_cases,
}


def _audit(event: str, _: Any) -> None:
    if _guarded and event in _FORBIDDEN:
        raise RuntimeError(f"forbidden: {event}")


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """No code and no program may run in here."""
    global _guarded
    _guarded = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        _guarded = False


def _late(*_: Any) -> None:
    raise TimeoutError("more than two minutes")


def run(folder: Path, kind: str, first: int, last: int) -> dict[str, Any]:
    """Run the cases of a kind from `first` to `last`, without it."""
    from nsnn_neuro import NsnnError

    case = KINDS[kind](folder)
    before = set(folder.iterdir())
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    slowest = [0.0, -1]
    for k in range(first, last):
        read = case(k)
        signal.alarm(120)
        began = time.process_time()
        try:
            with guarded():
                outcome = read()
            if outcome == "other content":
                wrong.append(f"{kind} {k}: read as other content")
        except NsnnError as error:
            outcome, text = "refused", str(error)
            if not text or "MemoryError" in text or "forbidden" in text:
                wrong.append(f"{kind} {k}: {text}")
        except (KeyboardInterrupt, Exception) as error:  # what must not happen
            outcome = "raised"
            wrong.append(f"{kind} {k}: {type(error).__name__}: {str(error)[:200]}")
        signal.alarm(0)
        counts[outcome] += 1
        took = time.process_time() - began
        slowest = max(slowest, [round(took, 2), k])
        if took > MOST_SECONDS:
            wrong.append(f"{kind} {k}: took {took:.1f} s")
        for path in set(folder.iterdir()) - before:
            if path.name == "sprung":
                wrong.append(f"{kind} {k}: ran code")
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return {"kind": kind, "counts": dict(counts), "wrong": wrong, "slowest": slowest}


def _peak() -> int:
    """Peak memory of this program in bytes; that of `getrusage` starts from the memory of the process that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(status.read_text(encoding="ascii").split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    """Run what the arguments say, and print what came of it."""
    folder, plan = Path(sys.argv[1]), json.loads(base64.b64decode(sys.argv[2]))
    resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30,) * 2)
    sys.addaudithook(_audit)
    signal.signal(signal.SIGALRM, _late)
    for kind, first, last in plan:
        here = folder / kind
        here.mkdir(parents=True, exist_ok=True)
        print(json.dumps(run(here, kind, first, last)), flush=True)
    print(json.dumps({"peak": _peak(), "cpu": time.process_time()}))


if __name__ == "__main__":
    main()
