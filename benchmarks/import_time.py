"""Seconds of a first touch: importing the package, its measures, and the command's help, beside `import elephant`.

`python benchmarks/import_time.py [--repeats N] [--quick] [--json FILE]`: wall time of whole processes started in turn on a warm
disk, the median of N after one that is not counted; an interpreter that imports nothing is in each of them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from comparison import Comparison, Report, add_options

CASES = {
    "python": ["-c", "pass"],
    "import numpy": ["-c", "import numpy"],
    "import elephant": ["-c", "import elephant"],
    "import brian2": ["-c", "import brian2"],
    "import nsnn_neuro": ["-c", "import nsnn_neuro"],
    "import nsnn_neuro.measures": ["-c", "import nsnn_neuro.measures"],
    "measures.firing_rate": ["-c", "from nsnn_neuro.measures import firing_rate"],
    "nsnn_neuro.simulate": ["-c", "from nsnn_neuro import simulate"],
    "nsnn --help": ["-m", "nsnn_neuro.cli", "--help"],
    "nsnn info": ["-m", "nsnn_neuro.cli", "info"],
}


def seconds(arguments: list[str]) -> float:
    """Wall time of one process."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-P", *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="processes of each case; default: %(default)s")
    add_options(parser)
    given = parser.parse_args()
    repeats = 1 if given.quick else given.repeats
    cases = {name: CASES[name] for name in ("python", "import elephant")} if given.quick else CASES
    taken: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(repeats + 1):
        for name, arguments in cases.items():
            taken[name].append(seconds(arguments))
    report, peer = Report(given.json), "import elephant"
    for name, values in taken.items():
        if name != peer:
            report.add(Comparison(name, "", tuple(values[1:]), peer, tuple(taken[peer][1:])))


if __name__ == "__main__":
    main()
