"""Bias and variance of three gradients in tiny networks: writes docs/gradient_bias.json and prints the table of docs/ndl.md.

python docs/gradient_bias.py [N]      median over N networks of each kind (5: about two minutes of processor time)

Sums over all spike patterns give the exact gradient, and mean and variance of NDL and of the score function, whose baseline is the
expected loss. The variance of local expectations is that of RUNS estimates from DRAWS draws each.
"""

from __future__ import annotations

import itertools
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from nsnn_neuro import Gaussian, deep, reference

RESULTS = Path(__file__).with_name("gradient_bias.json")
RUNS, DRAWS = 40, 32
NEURON = {"beta": 0.5, "theta": 1.0, "reset": "hard"}


@dataclass(frozen=True)
class Kind:
    """Networks of 3 inputs, `depth` hidden layers of `width` neurons and 2 outputs."""

    depth: int = 1
    steps: int = 2
    width: int = 3
    sigma: float = 0.4
    loss: str = "squared"


KINDS = {
    "no hidden layer": Kind(depth=0),
    "1 hidden layer": Kind(),
    "2 hidden layers, 1 step": Kind(depth=2, steps=1),
    "3 hidden layers, 1 step": Kind(depth=3, steps=1),
    "1 step": Kind(steps=1),
    "linear loss": Kind(loss="linear"),
    "cross-entropy of counts": Kind(loss="cross-entropy"),
    "sigma 0.2": Kind(sigma=0.2),
    "sigma 0.8": Kind(sigma=0.8),
    "6 hidden neurons, 1 step": Kind(width=6, steps=1),
    "10 hidden neurons, 1 step": Kind(width=10, steps=1),
    "3 steps": Kind(steps=3),
}


class Loss:
    """Of the counts of two outputs; for `reference` with its slope, for torch one value for each sample."""

    def __init__(self, name: str, steps: int) -> None:
        self.name, self.steps = name, steps

    def torch(self, o: torch.Tensor) -> torch.Tensor:
        """The loss of output spikes (T, batch, 2)."""
        return torch.tensor([self([one]) for one in o.transpose(0, 1).numpy()], dtype=o.dtype)

    def __call__(self, o: list[np.ndarray]) -> float:
        """The loss of one sample's spikes, a list of (T, n)."""
        no, yes = o[-1].sum(0)
        if self.name == "linear":
            return float(yes - no) / self.steps
        if self.name == "squared":
            return float((yes / self.steps - 1) ** 2 + (no / self.steps) ** 2)
        return float(np.logaddexp(0, no - yes))

    def gradient(self, o: list[np.ndarray]) -> list[np.ndarray]:
        """Its derivatives."""
        no, yes = o[-1].sum(0)
        if self.name == "linear":
            slope = np.array([-1, 1]) / self.steps
        elif self.name == "squared":
            slope = 2 * np.array([no / self.steps, yes / self.steps - 1]) / self.steps
        else:
            slope = np.array([1, -1]) / (1 + np.exp(yes - no))
        return [*(np.zeros_like(a) for a in o[:-1]), np.broadcast_to(slope, o[-1].shape)]


def moments(gradients: list[np.ndarray], weight: np.ndarray) -> tuple[np.ndarray, float]:
    """Mean of gradients (patterns, ...) under the probabilities of patterns, flat, and their total variance."""
    flat = np.concatenate([g.reshape(len(weight), -1) for g in gradients], axis=1)
    mean = weight @ flat
    return mean, float(weight @ ((flat - mean) ** 2).sum(1))


def measure(kind: Kind, seed: int) -> dict[str, float]:
    """Bias and standard deviations in units of the gradient's norm."""
    rng = np.random.default_rng(seed)
    sizes = [3, *[kind.width] * kind.depth, 2]
    W = [rng.normal(1.2 / a, 1 / np.sqrt(a), (a, b)) for a, b in itertools.pairwise(sizes)]
    x = rng.random((kind.steps, 3))
    family, loss = Gaussian(kind.sigma), Loss(kind.loss, kind.steps)
    mean, gradients, _ = reference.enumerate(W, x, loss, family, **NEURON)
    exact = np.concatenate([g.ravel() for g in gradients])
    spikes = reference.patterns(W, kind.steps)
    several = np.broadcast_to(x, (len(spikes[0]), *x.shape))
    weight = np.asarray(reference.probability(W, several, spikes, family, **NEURON))
    ndl, ndl_variance = moments(
        reference.bptt(W, several, spikes, loss, family, reset_path="exact", **NEURON), weight
    )
    score, score_variance = moments(
        reference.score_function(W, several, spikes, loss, family, baseline=mean, **NEURON), weight
    )
    assert np.allclose(score, exact, atol=1e-8)
    net = nn.Sequential(*(part for w in W for part in _layer(w, family)))
    inputs, slopes_drawn = torch.tensor(x)[:, None].expand(-1, DRAWS, -1), []
    for k in range(RUNS):
        net.zero_grad()
        deep.backward(net, inputs, loss.torch, seed=k)
        slopes_drawn.append(np.concatenate([layer.weight.grad.T.numpy().ravel() for layer in list(net)[::2]]))
    local_variance = DRAWS * float(np.var(slopes_drawn, 0, ddof=1).sum())
    norm, bias = float(np.linalg.norm(exact)), float(np.linalg.norm(ndl - exact))
    passes = 1 + sum(sizes[1:]) * kind.steps
    return {
        "bias": bias / norm,
        "cosine": float(ndl @ exact / np.linalg.norm(ndl) / norm),
        "sd_ndl": ndl_variance**0.5 / norm,
        "sd_local_expectation": local_variance**0.5 / norm,
        "sd_score_function": score_variance**0.5 / norm,
        "z_local_expectation": float(
            np.linalg.norm(np.mean(slopes_drawn, 0) - exact) / (local_variance / DRAWS / RUNS) ** 0.5
        ),
        "draws": max(local_variance - ndl_variance, 0) / bias**2,
        "passes_local_expectation": max(passes * local_variance - ndl_variance, 0) / bias**2,
        "passes_score_function": max(score_variance - ndl_variance, 0) / bias**2,
    }


def _layer(w: np.ndarray, family: Gaussian) -> list[nn.Module]:
    linear = nn.Linear(*w.shape, bias=False).double()
    linear.weight.data = torch.tensor(w.T)
    return [linear, deep.NoisySpike(family, **NEURON)]


def main(n: int) -> None:
    """Measure n networks of each kind."""
    torch.set_num_threads(1)
    table = {}
    for name, kind in KINDS.items():
        rows = [measure(kind, seed) for seed in range(n)]
        table[name] = {key: float(f"{np.median([row[key] for row in rows]):.4g}") for key in rows[0]}
        r = table[name]
        print(
            f"| {name} | {100 * r['bias']:.0f} % | {r['cosine']:.2f} | {r['sd_ndl']:.2f} | {r['sd_local_expectation']:.2f} | "
            f"{r['sd_score_function']:.2f} | {r['passes_local_expectation']:.0f} | {r['passes_score_function']:.0f} |",
            flush=True,
        )
        result = {"networks": n, "runs": RUNS, "draws": DRAWS, "median": table}
        RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
