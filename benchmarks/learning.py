"""An epoch of training 64-128-10 on handwritten digits: this package beside backpropagation through time in plain NumPy.

`python benchmarks/learning.py [--epochs N] [--batch B] [--engines cython numpy]`: seconds per epoch of 1078 samples, 20 steps,
without validation and evaluation: the median over epochs after a first one that compiles. All in double precision: Gaussian noise
0.4, beta 0.5, theta 1, hard reset, exact reset path, squared error of rates, Adam. PyTorch's autograd joins where it can be
imported (without the path through the reset). The online formulation shows one sample at a time. BLAS has one thread where
OMP_NUM_THREADS and OPENBLAS_NUM_THREADS say so.
"""

from __future__ import annotations

import argparse
import importlib.util
import platform
import time
from importlib.metadata import version
from typing import Any

import numpy as np
from scipy.special import ndtr
from sklearn.datasets import load_digits

import nsnn_neuro as nsnn

SIZES, STEPS, SIGMA, BETA, THETA, ETA = (64, 128, 10), 20, 0.4, 0.5, 1.0, 0.005


def digits(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples in a random order."""
    X, y = load_digits(return_X_y=True)
    which = np.random.default_rng(0).permutation(len(y))[:n]
    return X[which] / 16, y[which]


class Bptt:
    """What the package does, written out for this one network."""

    def __init__(self, W: list[np.ndarray], seed: int) -> None:
        self.W, self.rng, self.changes = [w.copy() for w in W], np.random.Generator(np.random.SFC64(seed)), 0
        self.m, self.v = ([np.zeros_like(w) for w in W] for _ in range(2))

    def forward(self, z: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Spikes, factors and du(t+1)/du(t) of a layer; z (T, batch, n_pre)."""
        drive = z @ w
        r = self.rng.random(drive.shape)
        x, o = np.empty_like(drive), np.empty_like(drive)
        u = before = np.zeros(drive.shape[1:])
        for t in range(len(z)):
            u = BETA * u * (1 - before) + drive[t]
            x[t] = u - THETA
            o[t] = r[t] < ndtr(x[t] / SIGMA)
            before = o[t]
        f = np.exp(-0.5 * (x / SIGMA) ** 2) / (SIGMA * np.sqrt(2 * np.pi))
        return o, f, BETA * (1 - o - (x + THETA) * f)

    def batch(self, X: np.ndarray, y: np.ndarray) -> None:
        """One batch and the change of the weights."""
        z = (self.rng.random((STEPS, *X.shape)) < X).astype(float)
        layers, inputs = [], [z]
        for w in self.W:
            layers.append(self.forward(inputs[-1], w))
            inputs.append(layers[-1][0])
        off = inputs[-1].mean(0) - (y[:, None] == np.arange(SIZES[-1]))
        d = np.broadcast_to(2 * off / STEPS / len(y), inputs[-1].shape)
        gradients = []
        for k in (1, 0):
            _, f, carried = layers[k]
            g = d * f
            for t in range(STEPS - 2, -1, -1):
                g[t] += carried[t] * g[t + 1]
            flat = g.reshape(-1, g.shape[-1])
            gradients.insert(0, inputs[k].reshape(len(flat), -1).T @ flat)
            if k:
                d = g @ self.W[k].T
        self.changes += 1
        for w, g, m, v in zip(self.W, gradients, self.m, self.v, strict=True):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            w -= ETA * m / (1 - 0.9**self.changes) / (np.sqrt(v / (1 - 0.999**self.changes)) + 1e-8)

    def epoch(self, X: np.ndarray, y: np.ndarray, batch: int) -> None:
        """All samples once."""
        order = self.rng.permutation(len(y))
        for first in range(0, len(y), batch):
            self.batch(X[order[first : first + batch]], y[order[first : first + batch]])


class Torch:
    """The same by PyTorch's autograd."""

    def __init__(self, W: list[np.ndarray], seed: int) -> None:
        import torch

        self.torch = torch
        torch.manual_seed(seed)

        class Noisy(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                ctx.save_for_backward(x)
                return torch.bernoulli(torch.special.ndtr(x / SIGMA))

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                (x,) = ctx.saved_tensors
                return g * torch.exp(-0.5 * (x / SIGMA) ** 2) / (SIGMA * np.sqrt(2 * np.pi))

        self.fires = Noisy.apply
        self.W = [torch.tensor(w, requires_grad=True) for w in W]
        self.optimizer = torch.optim.Adam(self.W, lr=ETA)

    def epoch(self, X: np.ndarray, y: np.ndarray, batch: int) -> None:
        """All samples once."""
        torch = self.torch
        order = torch.randperm(len(y))
        x_all, y_all = torch.tensor(X), torch.nn.functional.one_hot(torch.tensor(y), SIZES[-1]).double()
        for first in range(0, len(y), batch):
            which = order[first : first + batch]
            u = [torch.zeros(len(which), n, dtype=torch.double) for n in SIZES[1:]]
            o = [torch.zeros_like(a) for a in u]
            count: Any = 0
            for _ in range(STEPS):
                z = torch.bernoulli(x_all[which])
                for k, w in enumerate(self.W):
                    u[k] = BETA * u[k] * (1 - o[k].detach()) + z @ w
                    z = o[k] = self.fires(u[k] - THETA)
                count = count + z
            loss = ((count / STEPS - y_all[which]) ** 2).sum(1).mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()


def ours(
    X: np.ndarray, y: np.ndarray, epochs: int, batch: int, engine: str, formulation: str = "fast"
) -> np.ndarray:
    """Seconds of each epoch of `train` after the first."""
    rule = nsnn.NDL(ETA, optimizer=nsnn.Adam())
    net = nsnn.feedforward(list(SIZES), noise=nsnn.EscapeNoise(nsnn.Gaussian(SIGMA)), plasticity=rule)
    fit = nsnn.train(
        net, (X, y), loss=nsnn.losses.rate_mse, epochs=epochs + 1, batch=batch, n_steps=STEPS, validation=0, seed=1, engine=engine,
        formulation=formulation,
    )  # fmt: skip
    return fit.history["seconds"].to_numpy()[1:]


def theirs(model: Any, X: np.ndarray, y: np.ndarray, epochs: int, batch: int) -> np.ndarray:
    """The same for a model with `epoch`."""
    seconds = []
    for _ in range(epochs + 1):
        begun = time.perf_counter()
        model.epoch(X, y, batch)
        seconds.append(time.perf_counter() - begun)
    return np.array(seconds[1:])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--samples", type=int, default=1078)
    parser.add_argument("--engines", nargs="+", default=["cython", "numpy"])
    chosen = parser.parse_args()
    X, y = digits(chosen.samples)
    W = nsnn.feedforward(list(SIZES), noise=None).get_weights()
    rows = {"NumPy, BPTT": theirs(Bptt(W, 1), X, y, chosen.epochs, chosen.batch)}
    if importlib.util.find_spec("torch") is not None:
        rows["PyTorch, autograd"] = theirs(Torch(W, 1), X, y, chosen.epochs, chosen.batch)
    for engine in chosen.engines:
        rows[f"nsnn_neuro, {engine}"] = ours(X, y, chosen.epochs, chosen.batch, engine)
    if "cython" in chosen.engines:
        rows["nsnn_neuro, online"] = ours(X, y, max(2, chosen.epochs // 3), chosen.batch, "cython", "online")
    versions = ", ".join(f"{name} {version(name)}" for name in ("brian2", "numpy"))
    print(f"{platform.machine()}, Python {platform.python_version()}, {versions}; batch {chosen.batch}")
    base = np.median(rows["NumPy, BPTT"])
    for name, seconds in rows.items():
        print(
            f"{name:24s} {np.median(seconds):7.3f} s per epoch (fastest {seconds.min():.3f}), "
            f"{np.median(seconds) / base:5.2f} times NumPy's"
        )


if __name__ == "__main__":
    main()
