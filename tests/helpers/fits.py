"""What the tests of likelihood fits share: signals, trains, families, models."""

from __future__ import annotations

import dataclasses
from typing import Any

import neo
import numpy as np
import quantities as pq
from brian2 import ms

import nsnn_neuro as nsnn
from nsnn_neuro import parameter
from nsnn_neuro.likelihood import Exponentials, Lags, NeuronModel, RaisedCosines

DT = 1e-3


def analog(x: Any, period: float = DT, start: float = 0.0) -> neo.AnalogSignal:
    return neo.AnalogSignal(x, units=pq.dimensionless, sampling_period=period * pq.s, t_start=start * pq.s)


def gaussian_signal(n: int, seed: int, channels: int = 1) -> neo.AnalogSignal:
    return analog(np.random.default_rng(seed).normal(size=(n, channels)))


def train(o: Any, dt: float = DT) -> neo.SpikeTrain:
    return neo.SpikeTrain(np.flatnonzero(o) * dt, units="s", t_stop=len(o) * dt)


def trials_of(block: neo.Block) -> list[neo.SpikeTrain]:
    return [segment.spiketrains[0] for segment in block.segments]


def on_steps(block: neo.Block, n: int) -> np.ndarray:
    """1 in the steps of 0.1 ms with a spike, (n_trials, n)."""
    o = np.zeros((len(block.segments), n))
    for k, train in enumerate(trials_of(block)):
        o[k, np.round(train.rescale("s").magnitude / 1e-4).astype(int)] = 1
    return o


@dataclasses.dataclass(frozen=True, eq=False)
class Skewed(nsnn.Family):
    """A family whose density isn't even: Gumbel's, so that 1 - F isn't F(-x)."""

    scale: Any = parameter("1", bound="positive")
    cdf_text = "exp(-exp(-x / scale))"
    pdf_text = "exp(-x / scale - exp(-x / scale)) / scale"

    def _cdf(self, x, scale):
        return np.exp(-np.exp(-x / scale))

    def _pdf(self, x, scale):
        return np.exp(-x / scale - np.exp(-x / scale)) / scale


FAMILIES = [
    nsnn.Gaussian(0.7),
    nsnn.Logistic(0.4),
    nsnn.Cauchy(0.5),
    nsnn.FastSigmoid(3.0),
    nsnn.Triangular(9.0),
    Skewed(0.8),
]


KINDS: dict[str, dict[str, Any]] = {
    "glm": {"history": Exponentials([2, 9] * ms)},
    "nsnn": {"beta": "fit", "theta": 1.0},
    "nsnn with theta": {"beta": "fit"},
    "subtract": {"beta": "fit", "reset": "subtract", "history": Lags(2)},
    "subtract, theta given": {"beta": "fit", "reset": "subtract", "theta": 0.8},
    "leak": {"beta": 0.6, "reset": "none", "history": Lags(3)},
    "refractory": {"beta": 0.3, "refractory": 2 * ms, "history": RaisedCosines(3, 8 * ms, start=1 * ms)},
}


def some_data(
    model: NeuronModel, trials: int = 3, n: int = 60
) -> tuple[list[neo.SpikeTrain], neo.AnalogSignal, np.ndarray]:
    """Spikes that the model may have fired, at parameters where it isn't at its maximum."""
    signal = gaussian_signal(n, 3, model.channels)
    rng = np.random.default_rng(4)
    p = 0.4 * rng.normal(size=len(model.names))
    if model.beta == "fit":
        p[-1] = 0.6
    if model.threshold is None:
        p[-2 if model.beta == "fit" else -1] = 0.9
    return trials_of(model.simulate(p, signal, trials=trials, seed=5)), signal, p + 0.1


HISTORY = Exponentials([3, 15] * ms)
BURSTY = NeuronModel(dt=1 * ms, family=nsnn.Gaussian(1.0), stimulus=Lags(2), history=HISTORY)
BURSTY_P = [-1.4, 0.7, 0.3, -2.0, 0.5]
