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
The functions exist twice: here for the NumPy target (compiled by Numba) and in philox.h for Cython and C++.
"""

from __future__ import annotations

import math
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np

from ..core.numba_jit import njit

__all__ = [
    "HEADER",
    "MOST_PIECES",
    "NEVER",
    "Stream",
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


def key(seed: int, *path: int) -> tuple[int, int]:
    """The 64-bit key of `seed` (or of its child at `path`) as two signed 32-bit words.

    >>> key(1) == key(1), key(1) == key(2), key(1, 0) == key(1, 1)
    (True, False, False)
    """
    words = np.random.SeedSequence(seed, spawn_key=path).generate_state(2, np.uint32)
    first, second = (int(w) for w in words.astype(np.uint32).view(np.int32))
    return first, second


@njit(cache=True)
def philox4x32(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    """The four output words of Philox4x32-10 for a counter of four words and a key of two (all uint32 values)."""
    mask = np.uint64(0xFFFFFFFF)
    half = np.uint64(32)
    a0, a1, a2, a3 = np.uint64(c0), np.uint64(c1), np.uint64(c2), np.uint64(c3)
    b0, b1 = np.uint64(k0), np.uint64(k1)
    for _ in range(10):
        p = a0 * np.uint64(0xD2511F53)
        q = a2 * np.uint64(0xCD9E8D57)
        a0, a1, a2, a3 = (q >> half) ^ a1 ^ b0, q & mask, (p >> half) ^ a3 ^ b1, p & mask
        b0 = (b0 + np.uint64(0x9E3779B9)) & mask
        b1 = (b1 + np.uint64(0xBB67AE85)) & mask
    return a0, a1, a2, a3


@njit(cache=True)
def _words(first: Any, neuron: Any, trial: Any, point: Any, stream: Any, key0: Any, key1: Any) -> Any:
    mask = np.int64(0xFFFFFFFF)
    last = ((np.int64(point) & mask) << np.int64(8)) | np.int64(stream)
    return philox4x32(
        np.uint64(np.int64(first) & mask),
        np.uint64(np.int64(neuron) & mask),
        np.uint64(np.int64(trial) & mask),
        np.uint64(last & mask),
        np.uint64(np.int64(key0) & mask),
        np.uint64(np.int64(key1) & mask),
    )


@njit(cache=True)
def _bits(step: Any, neuron: Any, trial: Any, point: Any, stream: Any, key0: Any, key1: Any) -> Any:
    stream = np.int64(stream) & np.int64(127)
    w0, w1, w2, w3 = _words(np.int64(step) >> np.int64(1), neuron, trial, point, stream, key0, key1)
    if np.int64(step) & np.int64(1):
        return (w3 << np.uint64(32)) | w2
    return (w1 << np.uint64(32)) | w0


@njit(cache=True)
def _normal_of(
    turn: Any, step: Any, neuron: Any, trial: Any, point: Any, stream: Any, key0: Any, key1: Any
) -> Any:
    turn = np.int64(turn)
    stream = (np.int64(stream) & np.int64(127)) | np.int64(128)
    w0, w1, w2, w3 = _words(np.int64(step) >> np.int64(2), neuron, trial, point, stream, key0, key1)
    radius, angle = (w2, w3) if turn & 2 else (w0, w1)
    turns = (np.float64(angle) + 0.5) * 2.0**-32
    if turn & 1:
        turns -= 0.25
    # the cosine of `turns` by the sine of a distance to a quarter of a turn, small where the cosine is
    turns -= np.rint(turns)
    return math.sqrt(-2.0 * math.log((np.float64(radius) + 0.5) * 2.0**-32)) * math.sin(
        2.0 * math.pi * (0.25 - abs(turns))
    )


@njit(cache=True)
def _uniform_of(bits: Any) -> Any:
    return (np.float64(bits >> np.uint64(12)) + 0.5) * 2.0**-52


@njit(cache=True)
def _fill_uniform(
    out: Any, step: Any, neuron: Any, trial: Any, point: Any, stream: Any, key0: Any, key1: Any
) -> None:
    for i in range(out.size):
        out[i] = _uniform_of(_bits(step[i], neuron[i], trial[i], point[i], stream, key0, key1))


@njit(cache=True)
def _fill_normal(
    out: Any, step: Any, neuron: Any, trial: Any, point: Any, stream: Any, key0: Any, key1: Any
) -> None:
    for i in range(out.size):
        out[i] = _normal_of(step[i] & np.int64(3), step[i], neuron[i], trial[i], point[i], stream, key0, key1)


@njit(cache=True)
def _fill_normal_in_turn(
    out: Any, step: Any, neuron: Any, trial: Any, point: Any, turn: Any, stream: Any, key0: Any, key1: Any
) -> None:
    for i in range(out.size):
        out[i] = _normal_of(turn[i], step[i], neuron[i], trial[i], point[i], stream, key0, key1)


@njit(cache=True)
def _poisson_of(u: Any, mean: Any, none: Any) -> Any:
    term = none
    total, k = term, 0
    while u > total and k < 2000:
        k += 1
        term *= mean / k
        total += term
    return float(k)


@njit(cache=True)
def _fill_jumps(out: Any, u: Any, mean: Any, none: Any) -> None:
    for i in range(out.size):
        out[i] = _poisson_of(u[i], mean[i], none[i])


@njit(cache=True)
def _fill_uniform_in_turn(
    out: Any, step: Any, neuron: Any, trial: Any, point: Any, turn: Any, stream: Any, key0: Any, key1: Any
) -> None:
    for i in range(out.size):
        there = step[i] - (step[i] & np.int64(3)) + np.int64(turn[i])
        out[i] = _uniform_of(_bits(there, neuron[i], trial[i], point[i], stream, key0, key1))


@njit(cache=True)
def _summit_of(
    step: Any,
    neuron: Any,
    trial: Any,
    point: Any,
    stream: Any,
    key0: Any,
    key1: Any,
    left: Any,
    weight: Any,
    left_inh: Any,
    weight_inh: Any,
    drift: Any,
    room: Any,
) -> Any:
    highest = max(drift, 0.0)
    if highest + left * max(weight, 0.0) + left_inh * max(weight_inh, 0.0) < room or left + left_inh == 0:
        return highest
    s, total, highest, event = 0.0, 0.0, 0.0, 0
    while left + left_inh > 0:
        n = left + left_inh
        event += 1
        other = (np.int64(key1) & np.int64(0xFFFFFFFF)) ^ (
            (np.int64(event) * np.int64(0x9E3779B9)) & np.int64(0xFFFFFFFF)
        )
        bits = _bits(step, neuron, trial, point, stream, key0, other)
        u = (np.float64(bits >> np.uint64(32)) + 0.5) * 2.0**-32
        which = (np.float64(bits & np.uint64(0xFFFFFFFF)) + 0.5) * 2.0**-32
        s = 1.0 - (1.0 - s) * math.exp(math.log(u) / n)
        highest = max(highest, total + drift * s)
        if which * n < left:
            total += weight
            left -= 1
        else:
            total += weight_inh
            left_inh -= 1
        highest = max(highest, total + drift * s)
    return max(highest, total + drift)


@njit(cache=True)
def _fill_summit(
    out: Any,
    step: Any,
    neuron: Any,
    trial: Any,
    point: Any,
    jumps: Any,
    weight: Any,
    jumps_inh: Any,
    weight_inh: Any,
    drift: Any,
    room: Any,
    stream: Any,
    key0: Any,
    key1: Any,
) -> None:
    for i in range(out.size):
        out[i] = _summit_of(
            step[i], neuron[i], trial[i], point[i], stream, key0, key1,
            jumps[i], weight[i], jumps_inh[i], weight_inh[i], drift[i], room[i],
        )  # fmt: skip


@njit(cache=True)
def _cubic_top(p: Any, q: Any, m: Any, n: Any) -> Any:
    """Position in (0, 1) of a maximum >= 0 of the cubic from p to q, both below 0, with slopes m and n; -1 if there is none."""
    rise = q - p
    if max(p, q) + 4.0 / 27.0 * (max(m, 0.0) + max(-n, 0.0)) < 0.0:
        return -1.0
    a, b = 3.0 * (m + n - 2.0 * rise), 2.0 * (3.0 * rise - 2.0 * m - n)
    square = b * b - 4.0 * a * m
    if square < 0.0:
        return -1.0
    half = -0.5 * (b - math.sqrt(square)) if b < 0.0 else -0.5 * (b + math.sqrt(square))
    for k in range(2):
        over, under = (m, half) if k else (half, a)
        if under == 0.0:
            continue
        t = over / under
        if 0.0 < t < 1.0 and p + t * (m + t * (b / 2.0 + t * a / 3.0)) >= 0.0:
            return t
    return -1.0


@njit(cache=True)
def _passage_of(
    step, neuron, trial, point, stream, key0, key1, stream_shared, way, kick, now, later, room, room_end,
    pieces, keep, ebb, pull, lapse, root_ii, root_vi, root_vv, far, full, common, apart,
) -> Any:  # fmt: skip
    count = int(pieces)
    if count < 1 or not root_ii > 0.0:
        return NEVER
    if max(kick, 0.0) + max(way, 0.0) + far + full * (abs(now) + abs(later)) < min(room, room_end):
        return NEVER
    current, moved, gone = np.empty(count + 1), np.zeros(count + 1), np.zeros(count + 1)
    var_ii, var_vi, var_vv = np.zeros(count + 1), np.zeros(count + 1), np.zeros(count + 1)
    current[0] = now
    for k in range(count):
        other = (np.int64(key1) & np.int64(0xFFFFFFFF)) ^ (
            (np.int64(k // 2 + 1) * np.int64(0x9E3779B9)) & np.int64(0xFFFFFFFF)
        )
        z, place = np.empty(2), np.int64(step) * np.int64(4)
        for j in range(2):
            turn = 2 * (k % 2) + j
            z[j] = apart * _normal_of(turn, place, neuron, trial, point, stream, key0, other)
            if common > 0.0:
                z[j] += common * _normal_of(turn, place, -1, trial, point, stream_shared, key0, other)
        ii, vi, vv = var_ii[k], var_vi[k], var_vv[k]
        moved[k + 1] = ebb * moved[k] + pull * current[k] + root_vi * z[0] + root_vv * z[1]
        current[k + 1] = keep * current[k] + root_ii * z[0]
        var_vv[k + 1] = ebb * ebb * vv + 2.0 * ebb * pull * vi + pull * pull * ii + root_vi**2 + root_vv**2
        var_vi[k + 1] = keep * (ebb * vi + pull * ii) + root_ii * root_vi
        var_ii[k + 1] = keep * keep * ii + root_ii * root_ii
        gone[k + 1] = ebb * gone[k] + 1.0
    # pin the free path to its end: Cov(k, end) Cov(end)^-1 (end - free end), backwards
    off_i, off_v, vi = later - current[count], kick - moved[count], var_vi[count]
    det = var_ii[count] * var_vv[count] - vi * vi
    pin_i, pin_v = (var_vv[count] * off_i - vi * off_v) / det, (var_ii[count] * off_v - vi * off_i) / det
    leaky = ebb < 1.0
    scale, steep, tilt = way / gone[count], lapse / (1.0 - ebb) if leaky else 1.0, (room_end - room) / count
    crossing, after, after_i = NEVER, way + kick - room_end, later
    after_slope = steep * scale * (1.0 + (ebb - 1.0) * gone[count]) + lapse * (later - leaky * kick) - tilt
    for k in range(count - 1, -1, -1):
        pin_i, pin_v = keep * pin_i + pull * pin_v, ebb * pin_v
        i = current[k] + var_ii[k] * pin_i + var_vi[k] * pin_v
        x = moved[k] + var_vi[k] * pin_i + var_vv[k] * pin_v
        here = scale * gone[k] + x - (room + tilt * k)
        slope = steep * scale * (1.0 + (ebb - 1.0) * gone[k]) + lapse * (i - leaky * x) - tilt
        if here >= 0.0:
            t = 0.0
        elif after >= 0.0:
            t = here / (here - after)
        else:
            t = _cubic_top(here, after, slope, after_slope)
        if t >= 0.0:
            crossing = i + t * (after_i - i)
        after, after_i, after_slope = here, i, slope
    return crossing


@njit(cache=True)
def _fill_passage(
    out, step, neuron, trial, point, stream_shared, way, kick, now, later, room, room_end, pieces, keep, ebb, pull, lapse,
    root_ii, root_vi, root_vv, far, full, common, apart, stream, key0, key1,
) -> None:  # fmt: skip
    for i in range(out.size):
        out[i] = _passage_of(
            step[i], neuron[i], trial[i], point[i], stream, key0, key1, np.int64(stream_shared[i]), way[i], kick[i], now[i],
            later[i], room[i], room_end[i], pieces[i], keep[i], ebb[i], pull[i], lapse[i], root_ii[i], root_vi[i],
            root_vv[i], far[i], full[i], common[i], apart[i],
        )  # fmt: skip


def _draw(
    fill: Any,
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
    scalars = int(stream), int(np.ravel(key0)[0]), int(np.ravel(key1)[0])
    return _filled(fill, [*integers, *(np.asarray(a, dtype=float) for a in further)], *scalars)


def _filled(fill: Any, arrays: Any, *scalars: Any) -> Any:
    # copies, since Numba warns about broadcast views
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    flat = [(a if a.shape == shape else np.array(np.broadcast_to(a, shape))).ravel() for a in arrays]
    out = np.empty(shape).ravel()
    fill(out, *flat, *scalars)
    return out.reshape(shape) if shape else out[0]


def uniform(step: Any, neuron: Any, trial: Any, point: Any, stream: Any, key0: Any, key1: Any) -> Any:
    """Uniform draws from (0, 1), resolution 2**-52, never 0 or 1. The first four arguments broadcast; the rest are scalars.

    >>> k = key(seed=1)
    >>> bool(uniform(7, [0, 1, 2], 0, 0, Stream.ESCAPE, *k)[2] == uniform(7, 2, 0, 0, Stream.ESCAPE, *k))
    True
    """
    return _draw(_fill_uniform, step, neuron, trial, point, stream, key0, key1)


def normal(step: Any, neuron: Any, trial: Any, point: Any, stream: Any, key0: Any, key1: Any) -> Any:
    """Standard normal draws, symmetric, out to 6.76 standard deviations. Arguments as for `uniform`."""
    return _draw(_fill_normal, step, neuron, trial, point, stream, key0, key1)


def normal_in_turn(
    turn: Any, step: Any, neuron: Any, trial: Any, point: Any, stream: Any, key0: Any, key1: Any
) -> Any:
    """The normal of step 4 n + `turn`, one of the four steps 4 n to 4 n + 3 that contain `step`. Broadcasts.

    >>> k = key(seed=1)
    >>> bool(normal_in_turn(3, 8, 0, 0, 0, Stream.MEMBRANE, *k) == normal(11, 0, 0, 0, Stream.MEMBRANE, *k))
    True
    """
    return _draw(_fill_normal_in_turn, step, neuron, trial, point, stream, key0, key1, turn)


def uniform_in_turn(
    turn: Any, step: Any, neuron: Any, trial: Any, point: Any, stream: Any, key0: Any, key1: Any
) -> Any:
    """The uniform of step 4 n + `turn`, one of the four steps 4 n to 4 n + 3 that contain `step`. Broadcasts.

    >>> k = key(seed=1)
    >>> bool(uniform_in_turn(3, 8, 0, 0, 0, Stream.ESCAPE, *k) == uniform(11, 0, 0, 0, Stream.ESCAPE, *k))
    True
    """
    return _draw(_fill_uniform_in_turn, step, neuron, trial, point, stream, key0, key1, turn)


def jumps(u: Any, mean: Any, none: Any) -> Any:
    """Poisson numbers with a mean from 0 to 700, by inversion of uniform numbers; `none` is exp(-mean). Broadcasts.

    >>> u = uniform(0, [0, 1, 2, 3], 0, 0, Stream.POISSON, *key(seed=1))
    >>> jumps(u, 2.5, np.exp(-2.5)).tolist()
    [1.0, 2.0, 3.0, 7.0]
    """
    return _filled(_fill_jumps, [np.asarray(a, dtype=float) for a in (u, mean, none)])


def summit(
    step: Any,
    neuron: Any,
    trial: Any,
    point: Any,
    stream: Any,
    key0: Any,
    key1: Any,
    jumps: Any,
    weight: Any,
    jumps_inh: Any,
    weight_inh: Any,
    drift: Any,
    room: Any,
) -> Any:
    """Maximum over a step of a path with `jumps` of `weight` and `jumps_inh` of `weight_inh`, relative to its start.

    Jumps occur in random order at ordered uniform times, on a linear `drift`. If the path cannot exceed `room`, the result is some
    number below room. Broadcasts.

    >>> summit(0, [0, 1], 0, 0, Stream.POISSON_ORDER, *key(seed=1), [1, 2], 0.1, 0, 0.0, 0.0, 0.0).round(3).tolist()
    [0.1, 0.2]
    """
    further = (jumps, weight, jumps_inh, weight_inh, drift, room)
    return _draw(_fill_summit, step, neuron, trial, point, stream, key0, key1, *further)


def passage(
    step: Any,
    neuron: Any,
    trial: Any,
    point: Any,
    stream: Any,
    key0: Any,
    key1: Any,
    stream_shared: Any,
    *path: Any,
) -> Any:
    """Ornstein-Uhlenbeck current at the first threshold crossing of the membrane within a step, or `NEVER`.

    `path` are way, kick, now, later, room, room_end, pieces, keep, ebb, pull, lapse, root_ii, root_vi, root_vv, far, full, common,
    apart. In the step the membrane moves by `way` without noise and by `kick` through the current, which goes from `now` to
    `later`. The threshold is `room` above the start of the membrane, and `room_end` above it at the end of the step. The path is
    drawn, given both ends, at the borders of equal pieces; in each piece a cubic with the slopes of the membrane is tested. `keep`
    to `root_vv` belong to one piece (`equations.noises.ou_step`). `far` bounds the path above its ends, `full` is the weight of a
    current in it; `common` and `apart` are sqrt(c) and sqrt(1 - c). With 0 pieces nothing is tested. Broadcasts.

    >>> path = [0.0, 0.1, 2.0, -2.0, 0.05, 0.05, 5, 0.8, 0.98, 0.02, 0.02, 0.6, 0.005, 0.003, 0.1, 0.05, 0.0, 1.0]
    >>> bool(passage(0, 0, 0, 0, Stream.CURRENT_PATH, *key(seed=1), Stream.SHARED_CURRENT_PATH, *path) == NEVER)
    False
    """
    return _draw(_fill_passage, step, neuron, trial, point, stream, key0, key1, stream_shared, *path)
