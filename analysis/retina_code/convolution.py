"""A convolutional network with a Poisson output, of about as many parameters as the networks with 16 hidden neurons; needs torch.

Luminance of nine tiles around the receptive field in thirteen frames -> eight filters over five frames, rectified -> eight
features, rectified -> of each cell a weighted sum, the log rate. Filters are shared by all cells.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from .config import LAGS, SIDE
from .rate_models import Settings, bernoulli, cosine
from .responses import Responses

_FILTERS, _FRAMES, _FEATURES = 8, 5, 8


def available() -> bool:
    """Whether torch is installed."""
    return importlib.util.find_spec("torch") is not None


class ConvolutionalModel:
    """The fitted network; `log_rate` (tiles) is a function."""

    def __init__(self, log_rate: Any, n_parameters: int) -> None:
        self.log_rate, self.n_parameters = log_rate, n_parameters

    def log_likelihood(self, data: Responses) -> np.ndarray:
        """(n, n_repeats, n_cells) nats."""
        spike, silence = bernoulli(self.log_rate(data.tiles)[:, None])
        return np.where(data.o, spike, silence).sum(axis=2)

    def sample(self, data: Responses, repeats: int, rng: np.random.Generator) -> np.ndarray:
        """Spikes (n, repeats, n_steps, n_cells)."""
        p = np.exp(bernoulli(self.log_rate(data.tiles))[0])[:, None]
        return (rng.random((len(p), repeats, *p.shape[2:])) < p).astype(float)


def fit(data: Responses, settings: Settings, batch: int, seed: int) -> ConvolutionalModel:
    """Fit by Adam on batches of windows, with a cosine schedule and a ridge on weights, as the networks."""
    import torch
    from torch import nn

    n_cells = data.o.shape[-1]
    mean, sd = float(data.tiles.mean()), float(data.tiles.std()) or 1.0
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int, scale: float) -> Any:
        return nn.Parameter(scale * torch.randn(*shape, generator=generator))

    places, channels = LAGS - _FRAMES + 1, SIDE**2
    weights = [
        random(_FILTERS, channels, _FRAMES, scale=(2 / (channels * _FRAMES)) ** 0.5),
        random(_FEATURES, _FILTERS * places, scale=(2 / (_FILTERS * places)) ** 0.5),
        random(n_cells, _FEATURES, scale=0.3 * _FEATURES**-0.5),
    ]
    base = np.log(-np.log1p(-np.clip(data.o.mean(axis=(0, 1, 2)), 1e-4, 0.99)))
    biases = [
        nn.Parameter(torch.zeros(_FILTERS)),
        nn.Parameter(torch.zeros(_FEATURES)),
        nn.Parameter(torch.tensor(base, dtype=torch.float32)),
    ]

    def log_rate(tiles: Any) -> Any:
        shape = tiles.shape[:3]  # n, n_steps, n_cells
        frames = ((tiles - mean) / sd).reshape(-1, LAGS, channels).transpose(1, 2)
        first = torch.relu(nn.functional.conv1d(frames, weights[0], biases[0]))
        second = torch.relu(first.flatten(1) @ weights[1].T + biases[1]).reshape(*shape, _FEATURES)
        return (second * weights[2]).sum(dim=-1) + biases[2]

    tiles, fired = torch.from_numpy(np.float32(data.tiles)), torch.from_numpy(np.float32(data.o.sum(axis=1)))
    n_repeats = data.o.shape[1]
    optimizer = torch.optim.Adam([*weights, *biases], lr=settings.eta)
    rng = np.random.default_rng([seed, 7])
    n = len(tiles) * n_repeats
    for epoch in range(settings.epochs):
        for group in optimizer.param_groups:
            group["lr"] = settings.eta * cosine(epoch, settings.epochs)
        order = rng.permutation(len(tiles))
        for rows in np.array_split(order, -(-len(order) // batch)):
            rate = torch.exp(log_rate(tiles[rows]).clamp(-30, 5))
            logs = fired[rows] * torch.log(-torch.expm1(-rate)) - (n_repeats - fired[rows]) * rate
            penalty = settings.ridge / (2 * n) * sum((w**2).sum() for w in weights)
            optimizer.zero_grad()
            (penalty - logs.sum() / (len(rows) * n_repeats)).backward()
            optimizer.step()

    def evaluated(part: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return np.asarray(log_rate(torch.from_numpy(np.float32(part))).numpy(), dtype=float)

    return ConvolutionalModel(evaluated, sum(w.numel() for w in [*weights, *biases]))
