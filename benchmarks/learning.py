"""An epoch of training 64-128-10 on handwritten digits: this package beside backpropagation through time in plain NumPy.

`python benchmarks/learning.py [--epochs N] [--batch B] [--engines cython numpy] [--quick] [--json FILE]`: seconds per epoch of 1078
samples, 20 steps, without validation and evaluation: the median over epochs after a first one that compiles. All in double
precision: Gaussian noise 0.4, beta 0.5, theta 1, hard reset, exact reset path, squared error of rates, Adam. PyTorch's autograd and
snnTorch's `Leaky` join where they can be imported (without the path through the reset; snnTorch with this noise as `spike_grad`).
The online formulation shows one sample at a time. BLAS has one thread where OMP_NUM_THREADS and OPENBLAS_NUM_THREADS say so.

All sides must learn: the accuracy of their weights on the other samples, in one network of NumPy, must agree to 4 binomial errors
and 3 %.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from comparison import NOT_INSTALLED, Agreement, Comparison, Report, add_options
from environment import installed, machine
from scipy.special import ndtr
from sklearn.datasets import load_digits

import nsnn_neuro as nsnn

SIZES, STEPS, SIGMA, BETA, THETA, ETA = (64, 128, 10), 20, 0.4, 0.5, 1.0, 0.005


def digits(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """`n` samples and their labels in a random order, and those that are left over."""
    X, y = load_digits(return_X_y=True)
    which = np.random.default_rng(0).permutation(len(y))
    X, y = X[which] / 16, y[which]
    return X[:n], y[:n], X[n:], y[n:]


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

    def accuracy(self, X: np.ndarray, y: np.ndarray) -> float:
        """Share of samples whose neuron fires most."""
        z = (self.rng.random((STEPS, *X.shape)) < X).astype(float)
        for w in self.W:
            z, _, _ = self.forward(z, w)
        return float(np.mean(z.mean(0).argmax(1) == y))

    def weights(self) -> list[np.ndarray]:
        """The learned weights."""
        return self.W

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
        torch.set_num_threads(1)
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

    def step(self, k: int, u: Any, o: Any, drive: Any) -> tuple[Any, Any]:
        """Membrane and spikes of layer `k` after a step."""
        u = BETA * u * (1 - o.detach()) + drive
        return u, self.fires(u - THETA)

    def weights(self) -> list[np.ndarray]:
        """The learned weights."""
        return [w.detach().numpy().copy() for w in self.W]

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
                    u[k], o[k] = self.step(k, u[k], o[k], z @ w)
                    z = o[k]
                count = count + z
            loss = ((count / STEPS - y_all[which]) ** 2).sum(1).mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()


class SnnTorch(Torch):
    """The same with snnTorch's `Leaky`, which draws a spike for its own reset; so the reset is done here."""

    def __init__(self, W: list[np.ndarray], seed: int) -> None:
        import snntorch

        super().__init__(W, seed)
        self.cells = [
            snntorch.Leaky(beta=BETA, threshold=THETA, reset_mechanism="none", spike_grad=self.fires).double()
            for _ in W
        ]

    def step(self, k: int, u: Any, o: Any, drive: Any) -> tuple[Any, Any]:
        """Membrane and spikes of layer `k` after a step."""
        spikes, membrane = self.cells[k](drive, u * (1 - o.detach()))
        return membrane, spikes


Learned = tuple[tuple[float, ...], list[np.ndarray]]  # seconds of each epoch after the first, weights


def ours(
    X: np.ndarray, y: np.ndarray, epochs: int, batch: int, engine: str, formulation: str = "fast"
) -> Learned:
    """`train`."""
    rule = nsnn.NDL(ETA, optimizer=nsnn.Adam())
    net = nsnn.feedforward(list(SIZES), noise=nsnn.EscapeNoise(nsnn.Gaussian(SIGMA)), plasticity=rule)
    fit = nsnn.train(
        net, (X, y), loss=nsnn.losses.rate_mse, epochs=epochs + 1, batch=batch, n_steps=STEPS, validation=0, seed=1, engine=engine,
        formulation=formulation,
    )  # fmt: skip
    return tuple(fit.history["seconds"].to_numpy()[1:].tolist()), fit.network.get_weights()


def theirs(model: Any, X: np.ndarray, y: np.ndarray, epochs: int, batch: int) -> Learned:
    """A model with `epoch`."""
    seconds = []
    for _ in range(epochs + 1):
        begun = time.perf_counter()
        model.epoch(X, y, batch)
        seconds.append(time.perf_counter() - begun)
    return tuple(seconds[1:]), model.weights()


def run(report: Report, samples: int, epochs: int, batch: int, engines: list[str]) -> None:
    """Train all sides, and report each of ours beside each of the others."""
    X, y, *rest = digits(samples)
    size = f"{len(y)} samples, batches of {batch}, {epochs} epochs"
    W = nsnn.feedforward(list(SIZES), noise=None).get_weights()

    def accuracy(learned: Learned) -> float:
        return Bptt(learned[1], 2).accuracy(*rest)

    def agreement(one: Learned, other: Learned) -> Agreement:
        shares = accuracy(one), accuracy(other)
        error = np.sqrt(sum(p * (1 - p) for p in shares) / len(rest[1]))
        return Agreement("accuracy on other samples", *shares, float(error), slack=0.03)

    peers: dict[str, Learned | None] = {"NumPy, BPTT": theirs(Bptt(W, 1), X, y, epochs, batch)}
    for name, package, model in (
        ("PyTorch, autograd", "torch", Torch),
        ("snnTorch, Leaky", "snntorch", SnnTorch),
    ):
        present = installed("torch") and installed(package)
        peers[name] = theirs(model(W, 1), X, y, epochs, batch) if present else None
    fast = {engine: ours(X, y, epochs, batch, engine) for engine in engines}
    for engine, learned in fast.items():
        for peer, other in peers.items():
            name = f"epoch of train, {engine}"
            if other is None:
                report.add(Comparison(name, size, (), peer, missing=NOT_INSTALLED))
            else:
                report.add(Comparison(name, size, learned[0], peer, other[0], agreement(learned, other)))
    if "cython" in fast:
        online = ours(X, y, max(2, epochs // 3), batch, "cython", "online")
        # it learns for fewer epochs, so its accuracy is not compared
        name, peer = "epoch of train, online formulation", "the default formulation"
        report.add(Comparison(name, size, online[0], peer, fast["cython"][0]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--samples", type=int, default=1078)
    parser.add_argument("--engines", nargs="+", default=["cython", "numpy"])
    add_options(parser)
    given = parser.parse_args()
    print(machine())
    sizes = (
        (128, 1, 64, ["numpy"]) if given.quick else (given.samples, given.epochs, given.batch, given.engines)
    )
    run(Report(given.json), *sizes)


if __name__ == "__main__":
    main()
