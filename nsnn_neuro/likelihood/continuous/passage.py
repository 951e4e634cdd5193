"""First passages of a linear membrane as the solution of a Volterra equation: no cells, so exact however weak the noise is.

Without a threshold x = m(t) + X, where m is the path without noise and X an Ornstein-Uhlenbeck
process (without a leak a Wiener process). With d = threshold - m, the Gaussian density f(t | s, y)
of X at d(t), given X(s) = y, and its variance V, the density g of first passages obeys

    g(t) = k(t | 0, 0) - integral of g(s) k(t | s, d(s)) ds
    k = f [2 sigma^2 / tau (d - E X) / V - (d' + d / tau)]

(d' alone without a leak). The bracket takes the singularity from the kernel, which for a constant
drive above the threshold is close to a constant times
sqrt(t - s) exp(-v^2 tau (t - s) / (4 sigma^2)), with v the speed at the threshold. The trapezoidal
rule has an error in its first interval that is known, and removed. Densities are kept relative to
f(t | 0, 0), so that they neither underflow nor cancel for spikes that are far too early or too
late. Within a step log g is a parabola with the curvature of log f.

Source: Buonocore, Nobile & Ricciardi 1987, doi 10.2307/1427102
"""

from __future__ import annotations

import numpy as np

from ...core.numba_jit import njit

MEMORY = 14.0
"""Time constants after which a membrane has forgotten where it was."""
_FAR = 45.0  # nats below which a passage is neglected
_LARGEST = 650.0  # nats that exp can take
# survival below which it is taken from the hazard, as 1 minus what was lost has too few digits
_FEW_LEFT = 1e-7
_LEAST = 1e-300


@njit(cache=True, nogil=True)
def _first_interval(x: float) -> float:
    """Error of the trapezoidal rule for sqrt(u) exp(-x u) with steps of 1 in u, from 0 on: its integral minus the sum."""
    if x < 1.5:
        return 0.207886225 - x * (0.0254852019 + x * (0.0042584646 - x * 0.0007401684))
    total = 0.886226925 / x**1.5
    for k in range(1, 10):
        total -= np.sqrt(float(k)) * np.exp(-k * x)
    return total


@njit(cache=True, nogil=True)
def _bend(distance: float, variance: float, down: float, two_d: float, rate: float) -> float:
    """Second derivative of distance^2 / (2 variance) in time."""
    fall, growth = down - rate * distance, two_d - 2 * rate * variance
    e = (fall - distance * growth / variance) ** 2
    return (e - rate * distance * (fall - distance * growth / variance)) / variance


@njit(cache=True, nogil=True)
def passages(
    lanes: tuple[np.ndarray, ...],
    drive: np.ndarray,
    threshold: np.ndarray,
    spread: np.ndarray,
    tau: np.ndarray,
    leak: float,
    dt: float,
    n_parts: int,
    logs: np.ndarray,
    chance: np.ndarray,
) -> None:
    """Log-likelihood of each stretch, and on request the probability of a spike in each step: arguments as for `march`.

    `leak` is 0.0 for a perfect integrator. Work grows with the square of a stretch's steps, up to `MEMORY` time constants."""
    first, n_steps, skip, length, start, spikes, row = lanes
    most = n_steps.max() + 1 if n_steps.shape[0] else 1
    # of lags
    decay, double_variance, norm, pull = np.zeros((4, most))
    # of nodes: distance of the threshold, variance and exponent without a threshold, g exp(exponent), its change with the slope
    distance, variance, exponent, flux, per_slope = np.zeros((5, most))
    wanted = chance.shape[0] > 0
    joined = drive.shape[1] // chance.shape[1] if wanted else 1
    known, n_lags = -1, 0
    for s in range(first.shape[0]):
        r, n, h = row[s], n_steps[s], dt
        two_d = 2.0 * spread[r] / tau[r]
        if r != known:
            known, n_lags = r, most - 1
            if leak > 0:
                n_lags = min(n_lags, int(np.ceil(MEMORY * tau[r] / h)))
            for k in range(1, n_lags + 1):
                decay[k] = np.exp(-leak * k * h / tau[r])
                after = -spread[r] * np.expm1(-2.0 * k * h / tau[r]) if leak > 0 else two_d * k * h
                double_variance[k], norm[k], pull[k] = (
                    0.5 / after,
                    h / np.sqrt(2 * np.pi * after),
                    two_d / after,
                )
        x, time = start[s], 0.0
        for i in range(1, n + 1):
            step, now = (length[s] * h if i == 1 else h), drive[r, first[s] + i - 1]
            time += step
            x += (now - x) * -np.expm1(-step / tau[r]) if leak > 0 else now * step / tau[r]
            distance[i] = threshold[r] - x
            variance[i] = -spread[r] * np.expm1(-2.0 * time / tau[r]) if leak > 0 else two_d * time
            exponent[i] = 0.5 * distance[i] ** 2 / variance[i]
        alone = spikes[s] and skip[s] == 0 and not wanted  # the mass of the last step is all that counts
        # of an unlikely spike log q counts, as long as q is a number
        farthest = _LARGEST if wanted else _FAR + (exponent[n] if alone else 0.0)
        begin = 1
        while begin < n and exponent[begin] > farthest:
            begin += 1
        left, base, fired, forgotten, log_before = 1.0, 1.0, -np.inf, 0.0, -np.inf
        for i in range(1, n + 1):
            t = i - 1
            if t == skip[s]:
                base = left
            log_lost = -np.inf
            if i >= begin:
                down = (leak * threshold[r] - drive[r, first[s] + t]) / tau[r]  # slope of the threshold for X
                free = 1.0 / np.sqrt(2 * np.pi * variance[i])
                above, share = free * two_d * distance[i] / variance[i], free
                oldest = i - n_lags - 1
                if oldest >= begin:
                    forgotten += h * flux[oldest] * np.exp(-exponent[oldest])
                    above -= forgotten * free * two_d * distance[i] / variance[i]
                    share -= forgotten * free
                for j in range(max(begin, i - n_lags), i):
                    k = i - j
                    off = distance[i] - distance[j] * decay[k]
                    e = exponent[j] + off * off * double_variance[k] - exponent[i]
                    if e < _FAR:
                        part = flux[j] * norm[k] * np.exp(-e)
                        if j == 1:
                            part *= 0.5 * (1.0 + length[s])
                        above -= part * pull[k] * off
                        share -= part
                missing = -0.5 * leak * down / (tau[r] * np.sqrt(2 * np.pi * two_d)) * h**1.5
                missing *= _first_interval(0.5 * down * down * h / two_d)
                flux[i] = max((above - down * share) / (1.0 - missing), _LEAST)
                per_slope[i] = share / (1.0 - missing)
                log_after = np.log(flux[i]) - exponent[i]
                if i > begin:
                    before = (leak * threshold[r] - drive[r, first[s] + t - 1]) / tau[r]
                    log_before = np.log(max(flux[t] + (before - down) * per_slope[t], _LEAST)) - exponent[t]
                    bend = 0.5 * h * h
                    bend *= _bend(distance[t], variance[t], down, two_d, leak / tau[r]) + _bend(
                        distance[i], variance[i], down, two_d, leak / tau[r]
                    )
                    top, total = max(log_before, log_after) + bend / 8, 0.0
                    for k in range(5):  # Boole's rule
                        log_g = log_before + (log_after - log_before) * k / 4 + bend * k * (4 - k) / 32
                        total += (7.0, 32.0, 12.0, 32.0, 7.0)[k] * np.exp(log_g - top)
                    log_lost = top + np.log(max(total, _LEAST) * h / 90)
                else:
                    log_lost = log_after + np.log(0.5 * h * (length[s] if i == 1 else 1.0))
            lost = min(np.exp(log_lost), left)
            after = left - lost
            if after < _FEW_LEFT:
                after = min(left, max(after, np.exp(log_after) * h / max(log_before - log_after, 1e-6)))
                lost = left - after
            if wanted:
                step, q = (first[s] + t) // joined, lost / left  # left - after would round a small one to 0
                chance[r, step] += q * (1.0 - chance[r, step])
            if spikes[s] and i > n - n_parts:
                fired = np.logaddexp(fired, log_lost)
            left = max(after, _LEAST)
        logs[s] = (fired if spikes[s] else np.log(left)) - np.log(base)
