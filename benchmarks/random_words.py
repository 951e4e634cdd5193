"""Words of the generator behind the keyed noise, raw on standard output, for batteries of statistical tests.

`python benchmarks/random_words.py AXIS | dieharder -g 200 -a`: blocks of four 32-bit words under the counter of normals. Blocks
that follow each other are neighbours along AXIS (neurons, trials, points, streams, seeds), WIDTH of them in each block of steps;
AXIS steps takes one neuron's. Ends when the reader does, or after --bytes.
"""

from __future__ import annotations

import argparse
import os
import sys

import numpy as np
from numba import njit

from nsnn_neuro.brian import philox

AXES = ("steps", "neurons", "trials", "points", "streams", "seeds")
WIDTH = {"steps": 1, "neurons": 10_000, "trials": 100, "points": 100, "streams": 18, "seeds": 100}


@njit
def _fill(out, begin, width, axis, keys):
    for b in range(out.shape[0]):
        step, fast = (begin + b) // width, (begin + b) % width
        neuron = fast if axis == 1 else 0
        trial = fast if axis == 2 else 0
        point = fast if axis == 3 else 0
        stream = fast if axis == 4 else 0
        row = fast if axis == 5 else 0
        last = (point << 8) | 128 | stream
        out[b] = philox.philox4x32(step & 0xFFFFFFFF, neuron, trial, last, keys[row, 0], keys[row, 1])


def words(axis: str, begin: int, n_blocks: int, seed: int = 1) -> np.ndarray:
    """Blocks `begin` to `begin` + `n_blocks` of the sequence, (n_blocks, 4), uint32."""
    seeds = range(seed, seed + WIDTH["seeds"])
    keys = np.array([philox.key(s) for s in seeds], dtype=np.int64) & 0xFFFFFFFF
    out = np.empty((n_blocks, 4), dtype=np.uint32)
    _fill(out, begin, WIDTH[axis], AXES.index(axis), keys)
    return out


def main() -> None:
    """Write until nobody reads."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("axis", choices=AXES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bytes", type=float, default=float("inf"))
    arguments = parser.parse_args()
    block, begin = 1 << 18, 0
    try:
        while 16 * begin < arguments.bytes:
            sys.stdout.buffer.write(words(arguments.axis, begin, block, arguments.seed).tobytes())
            begin += block
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
