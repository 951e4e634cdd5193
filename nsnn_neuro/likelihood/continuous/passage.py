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
# survival below which a hazard far above that of the density's fall is an error of what was lost before, and the highest factor
_TAIL, _ABOVE_FALL = 5e-2, 1.02
_LEAST = 1e-300
_MIDDLE = _FAR / 128  # of exponents up to `_FAR`, divided by 64
_SCALE = float(np.exp(-_MIDDLE))


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


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz", "arcp", "contract", "nnan"})
def _earlier(
    distance: float, exponent: float, before: tuple[np.ndarray, ...], lags: tuple[np.ndarray, ...]
) -> tuple[float, float]:
    """What passages at n earlier nodes take from the flux at a node, without and per slope of the threshold.

    before : distance, exponent and flux with its weight of nodes, (n,) each; lags : decay, 1 / (2 variance), norm, pull to each

    The exponential is a polynomial, squared: a compiler vectorises this loop, and not one with a call."""
    distances, exponents, flux = before
    decay, half, norm, pull = lags
    above = share = 0.0
    for j in range(distances.shape[0]):
        off = distance - distances[j] * decay[j]
        e = exponents[j] + off * off * half[j] - exponent
        z = _MIDDLE - min(e, _FAR) / 64.0
        power = 1 + z / 7 * (1 + z / 8 * (1 + z / 9 * (1 + z / 10 * (1 + z / 11))))
        power = 1 + z * (1 + z / 2 * (1 + z / 3 * (1 + z / 4 * (1 + z / 5 * (1 + z / 6 * power)))))
        power = (_SCALE * power) ** 2  # of 64
        power = power * power
        power = power * power
        power = power * power
        power = power * power
        power = power * power
        part = flux[j] * norm[j] * power if e < _FAR else 0.0
        above += part * pull[j] * off
        share += part
    return above, share


@njit(cache=True, nogil=True)
def passages(
    lanes: tuple[np.ndarray, ...],
    drive: np.ndarray,
    threshold: np.ndarray,
    spread: np.ndarray,
    tau: np.ndarray,
    leak: float,
    dt: float,
    stride: int,
    n_parts: int,
    logs: np.ndarray,
    chance: np.ndarray,
) -> None:
    """Log-likelihood of each stretch, and on request the probability of a spike in each step: arguments as for `march`.

    `leak` is 0.0 for a perfect integrator. Work grows with the square of a stretch's steps, up to `MEMORY` time constants. A
    `stride` above 1 takes steps together in stretches of which only the mass of the last step counts."""
    first, n_steps, skip, length, start, spikes, row = lanes
    most = n_steps.max() + 1 if n_steps.shape[0] else 1
    # of lags, the longest first
    decay, half, norm, pull = np.zeros(most), np.zeros(most), np.zeros(most), np.zeros(most)
    # of nodes: distance of the threshold, variance and exponent without a threshold, g exp(exponent), the same with its weight,
    # its change with the slope, mean drive since the node before
    distance, exponent, weighted = np.zeros(most), np.zeros(most), np.zeros(most)
    variance, flux, per_slope, mean = np.zeros((4, most))
    wanted = chance.shape[0] > 0
    joined = drive.shape[1] // chance.shape[1] if wanted else 1
    known, many, n_lags, decays = -1, 0, 0, 0.0
    for s in range(first.shape[0]):
        alone = spikes[s] and skip[s] == 0 and not wanted  # the mass of the last step is all that counts
        together = stride if alone and n_parts == 1 and n_steps[s] > 8 * stride else 1
        r, h = row[s], dt * together
        n = (n_steps[s] + together - 1) // together
        two_d = 2.0 * spread[r] / tau[r]
        if r != known or many != together:
            known, many, n_lags = r, together, most - 1
            decays = -np.expm1(-dt / tau[r]) if leak > 0 else dt / tau[r]
            if leak > 0:
                n_lags = min(n_lags, int(np.ceil(MEMORY * tau[r] / h)))
            for k in range(1, n_lags + 1):
                after = -spread[r] * np.expm1(-2.0 * k * h / tau[r]) if leak > 0 else two_d * k * h
                decay[most - k] = np.exp(-leak * k * h / tau[r])
                half[most - k] = 0.5 / after
                norm[most - k] = h / np.sqrt(2 * np.pi * after)
                pull[most - k] = two_d / after
        begins = -np.expm1(-length[s] * dt / tau[r]) if leak > 0 else length[s] * dt / tau[r]
        x, time, t = start[s], 0.0, 0
        for i in range(1, n + 1):
            mean[i] = 0.0
            until = n_steps[s] - (n - i) * together
            for step in range(t, until):
                now = drive[r, first[s] + step]
                mean[i] += now / (until - t)
                x += (now - leak * x) * (begins if step == 0 else decays)
            t = until
            time = (t - 1 + length[s]) * dt
            distance[i] = threshold[r] - x
            variance[i] = -spread[r] * np.expm1(-2.0 * time / tau[r]) if leak > 0 else two_d * time
            exponent[i] = 0.5 * distance[i] ** 2 / variance[i]
        # the first interval, relative to h
        short = (n_steps[s] - (n - 1) * together - 1 + length[s]) / together
        # of an unlikely spike log q counts, as long as q is a number
        farthest = _LARGEST if wanted else _FAR + (exponent[n] if alone else 0.0)
        begin = 1
        while begin < n and exponent[begin] > farthest:
            begin += 1
        left, base, fired, forgotten, log_before, fall = 1.0, 1.0, -np.inf, 0.0, -np.inf, 0.0
        for i in range(1, n + 1):
            t = i - 1
            if t == skip[s]:
                base = left
            log_lost = -np.inf
            if i >= begin:
                down = (leak * threshold[r] - mean[i]) / tau[r]  # slope of the threshold for X
                free = 1.0 / np.sqrt(2 * np.pi * variance[i])
                above, share = free * two_d * distance[i] / variance[i], free
                oldest = i - n_lags - 1
                if oldest >= begin:
                    forgotten += h * flux[oldest] * np.exp(-exponent[oldest])
                    above -= forgotten * free * two_d * distance[i] / variance[i]
                    share -= forgotten * free
                low = max(begin, i - n_lags)
                a = most - i + low
                nodes = distance[low:i], exponent[low:i], weighted[low:i]
                lags = decay[a:], half[a:], norm[a:], pull[a:]
                taken = _earlier(distance[i], exponent[i], nodes, lags)
                above, share = above - taken[0], share - taken[1]
                missing = -0.5 * leak * down / (tau[r] * np.sqrt(2 * np.pi * two_d)) * h**1.5
                missing *= _first_interval(0.5 * down * down * h / two_d)
                flux[i] = max((above - down * share) / (1.0 - missing), _LEAST)
                weighted[i] = flux[i] * (0.5 * (1.0 + short) if i == 1 else 1.0)
                per_slope[i] = share / (1.0 - missing)
                if alone and i <= n - n_parts:
                    continue
                log_after = np.log(flux[i]) - exponent[i]
                if i > begin:
                    before = (leak * threshold[r] - mean[t]) / tau[r]
                    log_before = np.log(max(flux[t] + (before - down) * per_slope[t], _LEAST)) - exponent[t]
                    if i == 2:  # since the last spike, so that the curvature changes much within this step
                        half_time, x = 0.5 * h, threshold[r] - distance[1]
                        x += (mean[2] - leak * x) * (
                            -np.expm1(-half_time / tau[r]) if leak > 0 else half_time / tau[r]
                        )
                        half_time += (n_steps[s] - (n - 1) * together - 1 + length[s]) * dt
                        between = (
                            -spread[r] * np.expm1(-2.0 * half_time / tau[r])
                            if leak > 0
                            else two_d * half_time
                        )
                        bend = 4.0 * (exponent[1] + exponent[2] - (threshold[r] - x) ** 2 / between)
                    else:
                        bend = 0.5 * h * h
                        bend *= _bend(distance[t], variance[t], down, two_d, leak / tau[r]) + _bend(
                            distance[i], variance[i], down, two_d, leak / tau[r]
                        )
                    top, total = max(log_before, log_after) + bend / 8, 0.0
                    for k in range(5):  # Boole's rule, over the last of the steps that are taken together
                        at = 1 - (1 - k / 4) / together
                        log_g = log_before + (log_after - log_before) * at + 0.5 * bend * at * (1 - at)
                        total += (7.0, 32.0, 12.0, 32.0, 7.0)[k] * np.exp(log_g - top)
                    log_lost = top + np.log(max(total, _LEAST) * dt / 90)
                else:
                    log_lost = log_after + np.log(0.5 * h * (short if i == 1 else 1.0))
            lost = min(np.exp(log_lost), left)
            if i > begin:
                fall, fell = log_before - log_after, fall
                if left < _TAIL and fall > 0:
                    # log g falls by the hazard, and by its growth less
                    tail = -np.expm1(-0.5 * (fall + np.sqrt(fall * fall + 4 * max(fall - fell, 0.0))))
                    lost = tail * left if lost > _ABOVE_FALL * tail * left else lost
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
