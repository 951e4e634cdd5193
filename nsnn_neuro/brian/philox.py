"""Keyed noise: every random number is a pure function of (seed, point, trial, neuron, stream, step).

`uniform` and `normal` are counter-based (Philox4x32-10, Salmon et al. 2011, doi 10.1145/2063384.2063405): a draw does not depend on
earlier draws, on the order of neurons in a group, on the number of trials, or on the code generation target. The four words of the
counter are

    step >> 1  |  neuron  |  trial  |  point * 256 + stream              for uniforms: 64 bits each for an even and an odd step
    step >> 2  |  neuron  |  trial  |  point * 256 + 128 + stream        for normals: 32 bits each for four steps

and the 64-bit key is derived from the seed (`key`). Streams separate the uses of noise in a neuron (`Stream`). A neuron id of -1
gives the draw that all neurons of a trial share. Normals are those of Box and Muller (1958, doi 10.1214/aoms/1177706645), from a
radius sqrt(-2 log u) and an angle of 32 bits each: cosine and sine serve an even and an odd step. They are symmetric and end at
sqrt(2 log 2^33) = 6.76 standard deviations, beyond which one in 7e10 normals lies.
The functions exist twice: in philox_numba.py for the NumPy target (compiled by Numba) and in philox.h for Cython and C++.
"""

from __future__ import annotations

import functools
import importlib
import math
from enum import IntEnum
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .philox_numba import philox4x32

__all__ = [
    "HEADER",
    "MOST_PIECES",
    "NEVER",
    "SURE",
    "Stream",
    "crossed",
    "jumps",
    "key",
    "normal",
    "normal_in_turn",
    "passage",
    "philox4x32",
    "summit",
    "uniform",
    "uniform_in_turn",
]

NEVER = 1e150  # result of `passage` without a crossing
SURE = 37.0  # exp(-37) is below the smallest uniform number, 2**-53
MOST_PIECES = 256  # largest number of pieces of a step in `passage`
HEADER = (Path(__file__).parent / "philox.h").read_text(encoding="utf-8")


class Stream(IntEnum):
    """Uses of random numbers. Draws of different streams are independent."""

    MEMBRANE = 0
    BRIDGE = 1
    ESCAPE = 2
    OU_CURRENT = 3
    OU_START = 4
    SHARED = 5
    SHARED_OU_CURRENT = 6
    SHARED_OU_START = 7
    POISSON = 8
    POISSON_INH = 9
    POISSON_ORDER = 10
    THRESHOLD = 11
    THRESHOLD_START = 12
    CONDUCTANCE_E = 13
    CONDUCTANCE_I = 14
    CONDUCTANCE_E_START = 15
    CONDUCTANCE_I_START = 16
    RELEASE = 17
    SOURCE = 18
    SHARED_BRIDGE = 19
    CURRENT_PATH = 20
    SHARED_CURRENT_PATH = 21
    INPUT = 22  # and, up to 127, those of further inputs


def key(seed: int, *path: int) -> tuple[int, int]:
    """The 64-bit key of `seed` (or of its child at `path`) as two signed 32-bit words.

    >>> key(1) == key(1), key(1) == key(2), key(1, 0) == key(1, 1)
    (True, False, False)
    """
    words = np.random.SeedSequence(seed, spawn_key=path).generate_state(2, np.uint32)
    first, second = (int(w) for w in words.astype(np.uint32).view(np.int32))
    return first, second


def __getattr__(name: str) -> Any:
    if name == "philox4x32":
        return getattr(_numba(), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@functools.cache
def _numba() -> ModuleType:
    """The module of compiled loops, which imports Numba."""
    return importlib.import_module(".philox_numba", __package__)


def _draw(
    fill: str,
    step: Any,
    neuron: Any,
    trial: Any,
    point: Any,
    stream: Any,
    key0: Any,
    key1: Any,
    *further: Any,
) -> Any:
    """The numbers that `fill` writes for all elements of the broadcast arguments; `further` are floats."""
    integers = [np.asarray(a, dtype=np.int64) for a in (step, neuron, trial, point)]
    # the keys are shared values, which Brian2 may pass as arrays of one element
    scalars = int(stream), np.asarray(key0).item(0), np.asarray(key1).item(0)
    return _filled(fill, [*integers, *(np.asarray(a, dtype=float) for a in further)], *scalars)


def _filled(fill: str, arrays: Any, *scalars: Any) -> Any:
    # copies, since Numba warns about broadcast views
    shape: tuple[int, ...] = ()
    for a in arrays:
        if a.shape != shape and (a.ndim, a.shape) > (len(shape), shape):
            shape = a.shape
    if all(a.shape == shape or (a.size == 1 and a.ndim <= len(shape)) for a in arrays):  # NumPy takes longer
        flat = [a.ravel() if a.shape == shape else _repeated(a, shape) for a in arrays]
    else:
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
        flat = [(a if a.shape == shape else np.array(np.broadcast_to(a, shape))).ravel() for a in arrays]
    out = np.empty(math.prod(shape))
    getattr(_numba(), fill)(out, *flat, *scalars)
    return out.reshape(shape) if shape else out[0]


def _repeated(one: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """As many copies of one element as an array of this shape has elements."""
    out = np.empty(math.prod(shape), dtype=one.dtype)
    out.fill(one.item())
    return out


def uniform(step: Any, neuron: Any, trial: Any, point: Any, stream: Any, key0: Any, key1: Any) -> Any:
    """Uniform draws from (0, 1), resolution 2**-52, never 0 or 1. The first four arguments broadcast; the rest are scalars.

    >>> k = key(seed=1)
    >>> bool(uniform(7, [0, 1, 2], 0, 0, Stream.ESCAPE, *k)[2] == uniform(7, 2, 0, 0, Stream.ESCAPE, *k))
    True
    """
    return _draw("_fill_uniform", step, neuron, trial, point, stream, key0, key1)


def normal(step: Any, neuron: Any, trial: Any, point: Any, stream: Any, key0: Any, key1: Any) -> Any:
    """Standard normal draws, symmetric, out to 6.76 standard deviations. Arguments as for `uniform`."""
    return _draw("_fill_normal", step, neuron, trial, point, stream, key0, key1)


def normal_in_turn(
    turn: Any, step: Any, neuron: Any, trial: Any, point: Any, stream: Any, key0: Any, key1: Any
) -> Any:
    """The normal of step 4 n + `turn`, one of the four steps 4 n to 4 n + 3 that contain `step`. Broadcasts.

    >>> k = key(seed=1)
    >>> bool(normal_in_turn(3, 8, 0, 0, 0, Stream.MEMBRANE, *k) == normal(11, 0, 0, 0, Stream.MEMBRANE, *k))
    True
    """
    return _draw("_fill_normal_in_turn", step, neuron, trial, point, stream, key0, key1, turn)


def uniform_in_turn(
    turn: Any, step: Any, neuron: Any, trial: Any, point: Any, stream: Any, key0: Any, key1: Any
) -> Any:
    """The uniform of step 4 n + `turn`, one of the four steps 4 n to 4 n + 3 that contain `step`. Broadcasts.

    >>> k = key(seed=1)
    >>> bool(uniform_in_turn(3, 8, 0, 0, 0, Stream.ESCAPE, *k) == uniform(11, 0, 0, 0, Stream.ESCAPE, *k))
    True
    """
    return _draw("_fill_uniform_in_turn", step, neuron, trial, point, stream, key0, key1, turn)


def jumps(u: Any, mean: Any, none: Any) -> Any:
    """Poisson numbers with a mean from 0 to 700, by inversion of uniform numbers; `none` is exp(-mean). Broadcasts.

    >>> u = uniform(0, [0, 1, 2, 3], 0, 0, Stream.POISSON, *key(seed=1))
    >>> jumps(u, 2.5, np.exp(-2.5)).tolist()
    [1.0, 2.0, 3.0, 7.0]
    """
    return _filled("_fill_jumps", [np.asarray(a, dtype=float) for a in (u, mean, none)])


def crossed(
    step: Any, neuron: Any, trial: Any, point: Any, stream: Any, key0: Any, key1: Any, gap: Any
) -> Any:
    """1 where the uniform number is below exp(-gap), else 0; beyond `SURE` nothing is drawn. Broadcasts; gap is 0 or more.

    >>> crossed(0, [0, 1, 2], 0, 0, Stream.BRIDGE, *key(seed=1), [0.0, 1e100, 0.1]).tolist()
    [1.0, 0.0, 1.0]
    """
    return _draw("_fill_crossed", step, neuron, trial, point, stream, key0, key1, gap)


def summit(
    step: Any, neuron: Any, trial: Any, point: Any, stream: Any, key0: Any, key1: Any, *path: Any
) -> Any:
    """Maximum over a step of a path with `jumps` of `weight` and `jumps_inh` of `weight_inh`, relative to its start.

    `path` are jumps, weight, jumps_inh, weight_inh, drift, room. Jumps occur in random order at ordered uniform times, on a linear
    `drift`. If the path cannot exceed `room`, the result is some number below room. Broadcasts.

    >>> summit(0, [0, 1], 0, 0, Stream.POISSON_ORDER, *key(seed=1), [1, 2], 0.1, 0, 0.0, 0.0, 0.0).round(3).tolist()
    [0.1, 0.2]
    """
    return _draw("_fill_summit", step, neuron, trial, point, stream, key0, key1, *path)


def passage(
    step: Any, neuron: Any, trial: Any, point: Any, stream: Any, key0: Any, key1: Any, *path: Any
) -> Any:
    """Ornstein-Uhlenbeck current at the first threshold crossing of the membrane within a step, or `NEVER`.

    `path` are stream_shared, way, kick, now, later, room, room_end, pieces, keep, ebb, pull, lapse, root_ii, root_vi, root_vv,
    far, full, common, apart. In the step the membrane moves by `way` without noise and by `kick` through the current, which goes
    from `now` to `later`. The threshold is `room` above the start of the membrane, and `room_end` above it at the end of the
    step. The path is drawn, given both ends, at the borders of equal pieces; in each piece a cubic with the slopes of the
    membrane is tested. `keep` to `root_vv` belong to one piece (`equations.noises.ou_step`). `far` bounds the path above its
    ends, `full` is the weight of a current in it; `common` and `apart` are sqrt(c) and sqrt(1 - c). With 0 pieces nothing is
    tested. Broadcasts.

    >>> path = [0.0, 0.1, 2.0, -2.0, 0.05, 0.05, 5, 0.8, 0.98, 0.02, 0.02, 0.6, 0.005, 0.003, 0.1, 0.05, 0.0, 1.0]
    >>> bool(passage(0, 0, 0, 0, Stream.CURRENT_PATH, *key(seed=1), Stream.SHARED_CURRENT_PATH, *path) == NEVER)
    False
    """
    return _draw("_fill_passage", step, neuron, trial, point, stream, key0, key1, *path)
