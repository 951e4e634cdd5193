"""Losses of a layered spiking network: a value for each sample's output spikes, and the learning signal dL/do(t).

A loss states value and gradient twice: in NumPy (`value`, `gradient`), for the NumPy code generation target, torch and the
reference, and in C (`code`), for compiled targets. `rate_mse`, `cross_entropy_mean`, `cross_entropy_step` and `margin` take labels;
`VanRossum(tau)` and `NegativeLogLikelihood()` take target spikes. Subclass `Loss` for others.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
from scipy import special

from ..core.errors import NsnnError
from ..core.parameters import Scalars, parameter

__all__ = [
    "CrossEntropyMean",
    "CrossEntropyStep",
    "Loss",
    "Margin",
    "NegativeLogLikelihood",
    "RateMSE",
    "VanRossum",
    "cross_entropy_mean",
    "cross_entropy_step",
    "margin",
    "one_hot",
    "rate_mse",
    "target_spikes",
]


class Loss(Scalars):
    '''Base of the losses. o: output spikes (..., n_steps, n); y: labels (...), whole numbers from 0 to n - 1, or, for a loss
    whose `targets` are "spikes", 0 or 1 of the shape of o.

    `code` is C for one sample. It reads O(t, k), the output, n_steps, n, `label` (or T(t, k), the target spike) and the loss's
    parameters by name (double), writes every D(t, k) = dL/dO(t, k), and adds the loss to `value`. Without `code` a loss runs with
    engine="numpy" only. With `forced` the output is set to the target spikes; o and O(t, k) are then the log-odds of a spike,
    log(p / (1 - p)), and D(t, k) the derivative with respect to those. With `averaged` the loss is a mean over steps, so it is
    defined for the steps so far. For example, the number of missing spikes:

    >>> class Missing(Loss):
    ...     code = """for (int t = 0; t < n_steps; t++) for (int k = 0; k < n; k++) {
    ...         D(t, k) = -(k == label);
    ...         value += (k == label) * (1 - O(t, k));
    ...     }"""
    ...     def value(self, o, y):
    ...         return np.sum(one_hot(y, o)[..., None, :] * (1 - np.asarray(o)), axis=(-2, -1))
    ...     def gradient(self, o, y):
    ...         return -one_hot(y, o)[..., None, :] * np.ones(np.shape(o))
    >>> float(Missing().value([[0, 1], [0, 0]], 1))
    1.0
    '''

    code: ClassVar[str] = ""
    targets: ClassVar[str] = "labels"
    forced: ClassVar[bool] = False
    averaged: ClassVar[bool] = False

    def value(self, o: Any, y: Any) -> np.ndarray:
        """L of each sample, (...)."""
        raise NotImplementedError

    def gradient(self, o: Any, y: Any) -> np.ndarray:
        """dL/do, shaped as o."""
        raise NotImplementedError


def one_hot(y: Any, o: Any) -> np.ndarray:
    """The targets (..., n) of labels y from 0 to n - 1, for output spikes o (..., n_steps, n): 1 at the label, else 0.

    >>> one_hot(1, [[0, 0, 0]]).tolist()
    [0.0, 1.0, 0.0]
    """
    y, n = np.asarray(y), np.shape(o)[-1]
    if y.dtype.kind not in "iu" or np.any((y < 0) | (y >= n)):
        raise NsnnError(f"y = {y}: expected labels, whole numbers from 0 to {n - 1}")
    return np.asarray(y[..., None] == np.arange(n), dtype=float)


def target_spikes(y: Any, o: Any) -> np.ndarray:
    """Target spikes y as floats, checked: 0 or 1, of the shape of the output spikes o.

    >>> target_spikes([[0, 1]], [[1, 1]]).tolist()
    [[0.0, 1.0]]
    """
    y = np.asarray(y)
    if y.shape != np.shape(o) or y.dtype.kind not in "biuf" or not np.all((y == 0) | (y == 1)):
        raise NsnnError(
            f"y has shape {y.shape}, {y.dtype}: expected target spikes, 0 or 1, of shape {np.shape(o)}"
        )
    return y.astype(float)


def _cross_entropy(z: np.ndarray, target: np.ndarray) -> np.ndarray:
    highest = z.max(-1, keepdims=True)
    return np.asarray(np.log(np.exp(z - highest).sum(-1)) + highest[..., 0] - np.sum(z * target, axis=-1))


@dataclasses.dataclass(frozen=True, eq=False)
class RateMSE(Loss):
    """Squared distance of the rates from the target: L = sum_k (r_k - y_k)^2, r_k = mean_t o_k(t), y_k 1 for the label, else 0.

    dL/do_k(t) = 2 (r_k - y_k) / n_steps. `rate_mse` is one of these.

    >>> float(RateMSE().value([[1, 0], [1, 1]], 0))
    0.25
    """

    averaged = True
    code = """
    for (int k = 0; k < n; k++) {
        double rate = 0;
        for (int t = 0; t < n_steps; t++) rate += O(t, k);
        const double off = rate / n_steps - (k == label);
        value += off * off;
        for (int t = 0; t < n_steps; t++) D(t, k) = 2 * off / n_steps;
    }
    """

    def value(self, o: Any, y: Any) -> np.ndarray:
        """L of each sample."""
        return np.asarray(np.sum((np.mean(o, axis=-2) - one_hot(y, o)) ** 2, axis=-1))

    def gradient(self, o: Any, y: Any) -> np.ndarray:
        """dL/do."""
        o = np.asarray(o, dtype=float)
        off = o.mean(-2, keepdims=True) - one_hot(y, o)[..., None, :]
        return np.asarray(np.broadcast_to(2 * off / o.shape[-2], o.shape)).copy()


@dataclasses.dataclass(frozen=True, eq=False)
class CrossEntropyMean(Loss):
    """Cross-entropy of time-averaged spikes: L = -log softmax(gain r)_label, r_k = mean_t o_k(t).

    gain : number > 0; rates lie within 0 and 1, so that softmax stays far from certainty with a gain of 1

    dL/do_k(t) = gain (softmax(gain r)_k - y_k) / n_steps. `cross_entropy_mean` is one of these with gain 5.

    >>> round(float(CrossEntropyMean(1.0).value([[0, 0], [0, 0]], 0)), 6)
    0.693147
    """

    gain: Any = parameter("1", bound="positive", default=5.0)

    averaged = True
    code = """
    double highest = -HUGE_VAL, total = 0;
    for (int k = 0; k < n; k++) {
        double rate = 0;
        for (int t = 0; t < n_steps; t++) rate += O(t, k);
        D(0, k) = gain * rate / n_steps;
        if (D(0, k) > highest) highest = D(0, k);
    }
    for (int k = 0; k < n; k++) total += exp(D(0, k) - highest);
    value += log(total) + highest - D(0, label);
    for (int k = 0; k < n; k++) {
        const double d = gain * (exp(D(0, k) - highest) / total - (k == label)) / n_steps;
        for (int t = 0; t < n_steps; t++) D(t, k) = d;
    }
    """

    def value(self, o: Any, y: Any) -> np.ndarray:
        """L of each sample."""
        return _cross_entropy(self.si("gain") * np.mean(o, axis=-2), one_hot(y, o))

    def gradient(self, o: Any, y: Any) -> np.ndarray:
        """dL/do."""
        o, gain = np.asarray(o, dtype=float), self.si("gain")
        off = special.softmax(gain * o.mean(-2), axis=-1) - one_hot(y, o)
        return np.asarray(np.broadcast_to(gain * off[..., None, :] / o.shape[-2], o.shape)).copy()


@dataclasses.dataclass(frozen=True, eq=False)
class CrossEntropyStep(Loss):
    """Cross-entropy of each step's spikes, averaged over steps: L = -mean_t log softmax(gain o(t))_label.

    gain : number > 0

    dL/do_k(t) = gain (softmax(gain o(t))_k - y_k) / n_steps: known at t. `cross_entropy_step` is one of these with gain 5.

    Source: Deng et al. 2022, arXiv:2202.11946 (temporal efficient training)

    >>> round(float(CrossEntropyStep(1.0).value([[1, 1], [0, 0]], 0)), 6)
    0.693147
    """

    gain: Any = parameter("1", bound="positive", default=5.0)

    averaged = True
    code = """
    for (int t = 0; t < n_steps; t++) {
        double highest = -HUGE_VAL, total = 0;
        for (int k = 0; k < n; k++) if (gain * O(t, k) > highest) highest = gain * O(t, k);
        for (int k = 0; k < n; k++) total += exp(gain * O(t, k) - highest);
        value += (log(total) + highest - gain * O(t, label)) / n_steps;
        for (int k = 0; k < n; k++)
            D(t, k) = gain * (exp(gain * O(t, k) - highest) / total - (k == label)) / n_steps;
    }
    """

    def value(self, o: Any, y: Any) -> np.ndarray:
        """L of each sample."""
        o = np.asarray(o, dtype=float)
        return np.asarray(_cross_entropy(self.si("gain") * o, one_hot(y, o)[..., None, :]).mean(-1))

    def gradient(self, o: Any, y: Any) -> np.ndarray:
        """dL/do."""
        o, gain = np.asarray(o, dtype=float), self.si("gain")
        off = special.softmax(gain * o, axis=-1) - one_hot(y, o)[..., None, :]
        return np.asarray(gain * off / o.shape[-2])


@dataclasses.dataclass(frozen=True, eq=False)
class Margin(Loss):
    """Rate of the best other class minus that of the label: L = max_(k != y) r_k - r_y, r_k = mean_t o_k(t), two classes or more.

    dL/do_k(t) = ([k is the best other class, the first of ties] - y_k) / n_steps. Its gradient does not vanish where a guess is
    certain, as that of the cross-entropy does, so it is a loss for attacks. `margin` is one of these.

    Source: Carlini & Wagner 2017, doi 10.1109/SP.2017.49

    >>> float(Margin().value([[1, 0], [1, 1]], 0))
    -0.5
    """

    averaged = True
    code = """
    int best = -1;
    double highest = -HUGE_VAL, rate = 0;
    for (int k = 0; k < n; k++) {
        double r = 0;
        for (int t = 0; t < n_steps; t++) r += O(t, k);
        if (k == label) rate = r;
        else if (r > highest) { highest = r; best = k; }
    }
    value += (highest - rate) / n_steps;
    for (int k = 0; k < n; k++)
        for (int t = 0; t < n_steps; t++) D(t, k) = ((k == best) - (k == label)) / (double)n_steps;
    """

    def value(self, o: Any, y: Any) -> np.ndarray:
        """L of each sample."""
        rates = np.mean(o, axis=-2)
        return np.asarray(np.sum(rates * self._signs(rates, one_hot(y, o)), axis=-1))

    def gradient(self, o: Any, y: Any) -> np.ndarray:
        """dL/do."""
        o = np.asarray(o, dtype=float)
        signs = self._signs(o.mean(-2), one_hot(y, o))
        return np.asarray(np.broadcast_to(signs[..., None, :] / o.shape[-2], o.shape)).copy()

    def _signs(self, rates: np.ndarray, target: np.ndarray) -> np.ndarray:
        """1 at the best other class, -1 at the label."""
        others = np.where(target > 0, -np.inf, rates)
        return np.asarray((others.argmax(-1)[..., None] == np.arange(rates.shape[-1])) - target)


@dataclasses.dataclass(frozen=True, eq=False)
class VanRossum(Loss):
    """Squared van Rossum distance from target spikes: L = sum_k D_k^2, D_k that of `measures.van_rossum` for neuron k's spikes.

    tau : number > 0, of the exponential kernel, in steps

    With q = exp(-1 / tau) and the trace h_k(t) = q h_k(t-1) + o_k(t) - y_k(t), h = 0 before the first step,

        D_k^2 = (1 - q^2) sum_(t >= 0) h_k(t)^2 = (1 - q^2) sum_(t < T) h_k(t)^2 + q^2 h_k(T-1)^2,    T = n_steps,

    the last term from the decay after the last step. A single spike has the distance 1 from silence, and two spikes d steps apart
    have D^2 = 2 (1 - exp(-d / tau)), as in continuous time, D^2 = 2 / tau times the integral of h^2: the grid adds no error.
    dL/do_k(s) = 2 (1 - q^2) sum_(s <= t < T) q^(t-s) h_k(t) + 2 q^(T+1-s) h_k(T-1), in one pass backwards in time.

    Source: van Rossum 2001, doi 10.1162/089976601300014321; as a loss: Zenke & Ganguli 2018, doi 10.1162/neco_a_01086

    >>> loss, target = VanRossum(5.0), [[0], [1], [0], [0]]
    >>> [round(float(loss.value(o, target)), 6) for o in ([[0], [0], [0], [0]], [[0], [0], [0], [1]], target)]
    [1.0, 0.65936, 0.0]
    """

    tau: Any = parameter("1", bound="positive")
    targets = "spikes"

    code = """
    const double q = exp(-1 / tau), rest = -expm1(-2 / tau);
    for (int k = 0; k < n; k++) {
        double h = 0;
        for (int t = 0; t < n_steps; t++) {
            h = q * h + O(t, k) - T(t, k);
            value += rest * h * h;
            D(t, k) = 2 * rest * h;
        }
        value += q * q * h * h;
        D(n_steps - 1, k) = 2 * h;
        for (int t = n_steps - 2; t >= 0; t--) D(t, k) += q * D(t + 1, k);
    }
    """

    def _traces(self, o: Any, y: Any) -> tuple[np.ndarray, float, float]:
        """h, q and 1 - q^2."""
        h, tau = np.asarray(o, dtype=float) - target_spikes(y, o), self.si("tau")
        q = float(np.exp(-1 / tau))
        for t in range(1, h.shape[-2]):
            h[..., t, :] += q * h[..., t - 1, :]
        return h, q, float(-np.expm1(-2 / tau))

    def value(self, o: Any, y: Any) -> np.ndarray:
        """L of each sample."""
        h, q, rest = self._traces(o, y)
        return np.asarray(rest * np.sum(h**2, axis=(-2, -1)) + q**2 * np.sum(h[..., -1, :] ** 2, axis=-1))

    def gradient(self, o: Any, y: Any) -> np.ndarray:
        """dL/do."""
        h, q, rest = self._traces(o, y)
        d = 2 * rest * h
        d[..., -1, :] = 2 * h[..., -1, :]
        for t in reversed(range(h.shape[-2] - 1)):
            d[..., t, :] += q * d[..., t + 1, :]
        return d


@dataclasses.dataclass(frozen=True, eq=False)
class NegativeLogLikelihood(Loss):
    """Negative log-likelihood of the target spikes (nats), L = -sum_(t, k) [y log p + (1 - y) log(1 - p)], p = P(spike).

    Output spikes are set to the targets, also for the reset; hidden spikes are drawn. Given the hidden spikes u depends on the
    weights without a path through the reset, so that with the density f of the output's noise

        dL/du_k(t) = f (p - y) / (p (1 - p))

    is exact; hidden layers get the learning signal of NDL, with its bias. `value` and `gradient` are functions of the log-odds
    z = log(p / (1 - p)), dL/dz = p - y, exact far from threshold. Where a target is impossible (p = 0 or 1, bounded noise), L is
    infinite and the gradient 0.

    The output needs `EscapeNoise` and `NDL` (of either reset_path: the output's is detached).

    Source: Pfister et al. 2006, doi 10.1162/neco.2006.18.6.1318; Brea, Senn & Pfister 2013, doi 10.1523/JNEUROSCI.4098-12.2013

    >>> loss = NegativeLogLikelihood()
    >>> round(float(loss.value([[0.0], [-1000.0]], [[1], [0]])), 6), loss.gradient([[1000.0]], [[0]]).tolist()
    (0.693147, [[1.0]])
    """

    targets = "spikes"
    forced = True

    code = """
    for (int t = 0; t < n_steps; t++)
        for (int k = 0; k < n; k++) {
            const double sign = T(t, k) > 0 ? 1 : -1, z = sign * O(t, k);
            value += z > 0 ? log1p(exp(-z)) : log1p(exp(z)) - z;
            D(t, k) = -sign / (1 + exp(z));
        }
    """

    def value(self, o: Any, y: Any) -> np.ndarray:
        """L of each sample; o: log-odds (..., n_steps, n)."""
        z = np.asarray(o, dtype=float) * (2 * target_spikes(y, o) - 1)
        return np.asarray(np.logaddexp(0.0, -z).sum((-2, -1)))

    def gradient(self, o: Any, y: Any) -> np.ndarray:
        """dL/dz; o: log-odds."""
        sign = 2 * target_spikes(y, o) - 1
        return np.asarray(-sign * special.expit(-sign * np.asarray(o, dtype=float)))


rate_mse = RateMSE()
cross_entropy_mean = CrossEntropyMean()
cross_entropy_step = CrossEntropyStep()
margin = Margin()
