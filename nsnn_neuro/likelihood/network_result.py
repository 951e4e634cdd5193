"""`NetworkFit`: the result of fits of two-layer networks."""

from __future__ import annotations

import dataclasses

import neo
import numpy as np
import pandas as pd

from ..core.aliases import Signal, SpikeSource, Time
from ..measures import Estimate
from ..models.network import Network
from .network import NetworkModel
from .scores import PerStep, Scored


@dataclasses.dataclass(frozen=True, eq=False)
class NetworkFit(Scored):
    """Result of `fit_network`: weights, history, score on new data, simulated spikes.

    There are no standard errors: hidden neurons can be permuted, so the weights are not identified.
    The network's function is: its score and its simulated spikes.

    >>> import quantities as pq
    >>> from nsnn_neuro.likelihood import Training, fit_network
    >>> x = np.random.default_rng(0).normal(size=2000)
    >>> signal = neo.AnalogSignal(x, units="dimensionless", sampling_period=1*pq.ms)
    >>> trains = [np.flatnonzero(signal.magnitude[:, 0] > 1.5) * 1e-3]
    >>> training = Training(epochs=10, eta=0.05)
    >>> fit = fit_network(trains, signal, dt=1*pq.ms, stimulus=1, training=training, engine="numpy")
    >>> [w.shape for w in fit.weights], fit.held_out.value > 1
    ([(2, 16), (17, 1)], True)
    >>> print(fit)
    NetworkFit: 16 hidden and 1 output neurons, ... epoch 10, held out ... bits per spike
    """

    model: NetworkModel
    weights: tuple[np.ndarray, np.ndarray]
    """hidden (1 + n_stimulus, n_hidden) and output (1 + n_hidden, n_outputs), biases first"""
    history: pd.DataFrame
    """a row for each epoch: epoch (from 1); loss and val_loss (nats per window, minus the bound
    that is trained, or the likelihood while it is refined); bound and val_bound (bits per spike of
    the bound); likelihood (bits per spike, while it is refined, estimated as it was learned from);
    seconds"""
    best_epoch: int
    """the epoch whose weights these are"""
    held_out: Estimate | None
    """`score` of the validation data; None without"""
    n_spikes: int
    """in the windows that it learned from"""
    n_steps: int
    """of these windows"""

    def __repr__(self) -> str:
        """Sizes and scores, without the weights."""
        sizes = f"{self.model.n_hidden} hidden and {self.model.n_outputs} output neurons"
        score = (
            ""
            if self.held_out is None
            else f", held out {self.held_out.value:.3g} ± {self.held_out.se:.2g} bits per spike"
        )
        return f"NetworkFit: {sizes}, {self.n_spikes} spikes in {self.n_steps} steps, epoch {self.best_epoch}{score}"

    @property
    def network(self) -> Network:
        """The fit as a `Network`; see `NetworkModel.network`."""
        return self.model.network(self.weights)

    def score(
        self,
        trains: SpikeSource,
        signal: Signal,
        *,
        t_start: Time | None = None,
        t_stop: Time | None = None,
        particles: int = 100,
        seed: int = 0,
    ) -> Estimate:
        """Bits per spike over homogeneous neurons: (log2 P(O|x) - log2 P0(O)) / n_spikes.

        A particle filter estimates P(O|x) = E_hidden[P(O|hidden)] over each trial, from potentials
        of 0. The estimate of its log is too low on average; the bias shrinks with the number of
        `particles`. particles=1 gives the bound E_hidden[log2 P(O|hidden)]. `se` is the error over
        stretches of data, not that of the fit.

        Source: Gordon, Salmond & Smith 1993, doi 10.1049/ip-f-2.1993.0015
        """
        data = self.model.data(trains, signal, t_start=t_start, t_stop=t_stop)
        return self.model.score(self.weights, data, particles=particles, seed=seed)

    takes = ("signal",)

    def per_step(
        self,
        trains: SpikeSource,
        signal: Signal,
        *,
        t_start: Time | None = None,
        t_stop: Time | None = None,
        particles: int = 100,
        seed: int = 0,
    ) -> PerStep:
        """The log-likelihood of each step, trials in line; o is (n,) of a single output."""
        data = self.model.data(trains, signal, t_start=t_start, t_stop=t_stop)
        logs = self.model.log_likelihood(self.weights, data, particles=particles, seed=seed)
        return PerStep(logs, data.o[:, 0] if data.o.shape[1] == 1 else data.o, self.model.step)

    def simulate(self, signal: neo.AnalogSignal, *, trials: int = 1, seed: int = 0) -> neo.Block:
        """Simulate the output's spikes under `signal`; see `NetworkModel.simulate`."""
        return self.model.simulate(self.weights, signal, trials=trials, seed=seed)
