"""Seconds of a first touch: importing the package, its measures, and the command's help, beside `import elephant`.

`python benchmarks/import_time.py [--repeats N]`: wall time of whole processes started in turn on a warm disk, the median of N after
one that is not counted; an interpreter that imports nothing is in each of them. In the last column: relative to `import elephant`.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

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
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="processes of each case; default: %(default)s")
    repeats = parser.parse_args().repeats
    taken: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(repeats + 1):
        for name, arguments in CASES.items():
            taken[name].append(seconds(arguments))
    median = {name: statistics.median(values[1:]) for name, values in taken.items()}
    for name, value in median.items():
        print(f"{name:28s} {value:7.3f} s {value / median['import elephant']:6.2f}")


if __name__ == "__main__":
    main()
