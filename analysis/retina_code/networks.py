"""The networks of the study: hidden neurons with and without noise, shared by all cells, and spikes drawn from them."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.special import logsumexp

import nsnn_neuro as nsnn
from nsnn_neuro.likelihood import Lags, NetworkModel, Training, fit_windows, window_bounds

from .config import BIN, Config
from .rate_models import Settings
from .responses import Responses


@dataclasses.dataclass(frozen=True, eq=False)
class FittedNetwork:
    """A network with its weights; likelihoods are bounds of `draws` draws of the hidden layer, or a mixture of predictions.

    With a scale above 0 the mixture is the mean probability of `draws` networks, each with weights times 1 + scale N(0, 1).
    """

    model: NetworkModel
    weights: tuple[np.ndarray, np.ndarray]
    draws: int
    seed: int = 0
    scale: float = 0.0

    def log_likelihood(self, data: Responses) -> np.ndarray:
        """(n, n_repeats, n_cells) nats."""
        if not self.scale:
            return window_bounds(self.model, self.weights, data.x, data.o, n_draws=self.draws, seed=self.seed)
        rng, logs = np.random.default_rng([self.seed, 5]), []
        for _ in range(self.draws):
            moved = [w * (1 + self.scale * rng.standard_normal(w.shape)) for w in self.weights]
            logs.append(window_bounds(self.model, moved, data.x, data.o))
        return np.asarray(logsumexp(logs, axis=0) - np.log(self.draws))

    def sample(self, data: Responses, repeats: int, rng: np.random.Generator) -> np.ndarray:
        """Spikes (n, repeats, n_steps, n_cells)."""
        drive = data.x @ self.weights[0]
        n, n_steps, n_cells, n_hidden = drive.shape
        h = u = np.zeros((n, repeats, n_cells, n_hidden))
        v = spikes = np.zeros((n, repeats, n_cells))
        o = np.empty((n, repeats, n_steps, n_cells))
        theta = float(self.model.output.theta)
        for t in range(n_steps):
            u, h, v = self.model.advance(self.weights, drive[:, t, None], u, h, v, spikes, rng)
            spikes = (rng.random(v.shape) < self.model.family.cdf(v - theta)).astype(float)
            o[:, :, t] = spikes
        return o

    def with_noise(self, mean_field: bool = False) -> FittedNetwork:
        """The same weights with noise in the hidden layer, or its mean field."""
        model = dataclasses.replace(self.model, noisy=True, mean_field=mean_field)
        return dataclasses.replace(self, model=model)

    def scored_by(self, draws: int, scale: float = 0.0) -> FittedNetwork:
        """The same network, scored by other draws or predictions."""
        return dataclasses.replace(self, draws=draws, scale=scale)


def fit(
    data: Responses, settings: Settings, config: Config, *, noise: bool, seed: int, mean_field: bool = False
) -> FittedNetwork:
    """Fit a network by one draw of the hidden layer at a time, the same number of passes with and without noise."""
    model = NetworkModel(
        dt=BIN,
        stimulus=Lags(data.x.shape[-1] - 1),
        n_hidden=config.hidden,
        n_outputs=data.o.shape[-1],
        family=nsnn.Gaussian(config.sigma),
        noisy=noise,
        own_inputs=True,
        mean_field=mean_field,
    )
    fitted = fit_windows(
        model,
        (data.x, data.o),
        ridge=settings.ridge,
        training=Training(epochs=settings.epochs, batch=config.batch, eta=settings.eta),
        seed=seed,
        progress=False,
    )
    return FittedNetwork(model, fitted.weights, config.draws)
