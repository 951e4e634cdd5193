"""Numba's versions of the functions in philox.h, for the NumPy target: loops over elements that call functions of one element.

A module apart from `philox`, since simulations on compiled engines need no Numba, whose import takes a quarter of a second.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.numba_jit import njit
from .philox import NEVER, SURE


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
def _other(key1: Any, number: Any) -> Any:
    """The second word of the key for a further block of the same step."""
    mask = np.int64(0xFFFFFFFF)
    return (np.int64(key1) & mask) ^ ((np.int64(number) * np.int64(0x9E3779B9)) & mask)


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
def _fill_crossed(
    out: Any, step: Any, neuron: Any, trial: Any, point: Any, gap: Any, stream: Any, key0: Any, key1: Any
) -> None:
    for i in range(out.size):
        out[i] = 0.0
        if gap[i] < SURE:
            u = _uniform_of(_bits(step[i], neuron[i], trial[i], point[i], stream, key0, key1))
            out[i] = 1.0 if u < math.exp(-gap[i]) else 0.0


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
    step, neuron, trial, point, stream, key0, key1, left, weight, left_inh, weight_inh, drift, room
) -> Any:
    highest = max(drift, 0.0)
    if highest + left * max(weight, 0.0) + left_inh * max(weight_inh, 0.0) < room or left + left_inh == 0:
        return highest
    s, total, highest, event = 0.0, 0.0, 0.0, 0
    while left + left_inh > 0:
        n = left + left_inh
        event += 1
        bits = _bits(step, neuron, trial, point, stream, key0, _other(key1, event))
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
    out, step, neuron, trial, point, jumps, weight, jumps_inh, weight_inh, drift, room, stream, key0, key1
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
        other = _other(key1, k // 2 + 1)
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
