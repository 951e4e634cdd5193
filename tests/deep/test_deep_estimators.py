"""Unbiased gradients of an expected loss: against sums over all spike patterns, and against NDL's bias in the same sums."""
# Imports internals: gradients along spikes that are given.

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.refusals import assert_refused
from helpers.tiny_networks import FAMILIES
from helpers.with_torch import own_noise  # noqa: F401

import nsnn_neuro as nsnn
from nsnn_neuro import losses, reference

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from nsnn_neuro import deep  # noqa: E402
from nsnn_neuro.deep.estimators import _Tape  # noqa: E402
from nsnn_neuro.deep.neuron import replaced  # noqa: E402

# SCIENCE: one step of a net 2-3 and a loss that isn't affine
W = np.array([[0.8, -0.3, 0.5], [0.2, 0.9, -0.6]])
TRUE = np.array([[-0.112818, 0.014474, 0.549276], [-0.078973, 0.010132, 0.384493]])
NDL = np.array([[0.030049, -0.033517, 0.058132], [0.021034, -0.023462, 0.040693]])


def squared(o: Any) -> Any:
    """Loss of spikes (T, ..., n)."""
    weight = torch.tensor([0.6, -0.4, 1.1], dtype=torch.float64)[: o.shape[-1]]
    return (o.sum(0) @ weight - 0.5) ** 2


class Problem:
    """A net of two layers, from a seed, with everything learned; the exact loss of its values."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.x = rng.random((2, 2))
        self.family = FAMILIES[seed % len(FAMILIES)]
        self.start = {
            "delay": rng.uniform(0.05, 0.9, 2).astype(np.float32).astype(float),
            "w": [rng.normal(0.4, 0.6, (2, 2)), rng.normal(0.4, 0.6, (2, 2))],
            "beta": [rng.uniform(0.3, 0.8, 2), rng.uniform(0.3, 0.8)],
            "theta": [rng.uniform(0.4, 1.0), rng.uniform(0.4, 1.0, 2)],
            "level": [0.0, 0.0],
        }
        self.reset = ["hard", "subtract"][seed // 6 % 2]

    def net(self, dtype: Any = torch.float64) -> nn.Sequential:
        modules: list[Any] = [deep.Delays(2, 1, initial=self.start["delay"])]
        for w, beta, theta in zip(*(self.start[k] for k in ("w", "beta", "theta")), strict=True):
            modules.append(nn.Linear(2, 2, bias=False))
            modules[-1].weight.data = torch.tensor(w.T)
            modules.append(
                deep.NoisySpike(
                    self.family, beta=beta, theta=theta, reset=self.reset, learn_beta=True, learn_theta=True, learn_noise=True
                )
            )  # fmt: skip
        return nn.Sequential(*modules).to(dtype)

    def exact(self, name: str, layer: int, step: Any) -> float:
        """E[L] after a change of a value by a step."""
        now = {k: v if k == "delay" else [*v] for k, v in self.start.items()}
        if name == "delay":
            now["delay"] = now["delay"] + step
        else:
            now[name][layer] = now[name][layer] + step
        x = np.concatenate([np.zeros((1, 2)), self.x])
        x = np.stack(
            [np.interp(np.arange(3) - d, np.arange(3), c) for d, c in zip(now["delay"], x.T, strict=True)], 1
        )
        families = [self.family.scaled(float(np.exp(level))) for level in now["level"]]
        neurons = {"beta": now["beta"], "theta": now["theta"], "reset": self.reset}
        return reference.enumerate(
            now["w"], x[1:], lambda o: float(squared(torch.tensor(o[-1]))), families, **neurons
        )[0]

    def gradient(self) -> np.ndarray:
        """dE[L] in the order of the net's parameters, by fourth-order differences."""
        h, estimates = 1e-3, []
        for name, layer, value in (("delay", 0, self.start["delay"]), *(
            (name, k, self.start[name][k]) for k in range(2) for name in ("w", "beta", "theta", "level")
        )):  # fmt: skip
            value = np.asarray(value)
            part = np.zeros(value.shape)
            for place in np.ndindex(value.shape):
                unit = np.zeros(value.shape)
                unit[place] = h
                near, far = (
                    self.exact(name, layer, k * unit) - self.exact(name, layer, -k * unit) for k in (1, 2)
                )
                part[place] = (8 * near - far) / (12 * h)
            if name == "beta":
                part = part * value * (1 - value)
            estimates.append(part.T.ravel())
        return np.concatenate(estimates)


def gradient_of(net: Any) -> np.ndarray:
    return np.concatenate([p.grad.numpy().ravel() for p in net.parameters()])


@pytest.mark.parametrize("seed", range(12))
def test_scores_along_all_patterns_sum_to_the_gradient(seed: int) -> None:
    """sum P L dlog P/dw, of weights, beta, theta, noise and delays in both layers; each family with each reset."""
    problem = Problem(seed)
    net = problem.net()
    patterns = [
        torch.tensor(o, dtype=torch.float64).transpose(0, 1)
        for o in reference.patterns(problem.start["w"], 2)
    ]
    x = torch.tensor(problem.x)[:, None].expand(-1, 256, -1)
    tape = _Tape()
    with replaced(net, deep.NoisySpike, "tape", tape):
        hidden = net[2](net[1](net[0](x)), spikes=patterns[0])
        out = net[4](net[3](hidden), spikes=patterns[1])
    chance = torch.stack([torch.where(c.fired == 1, c.p, 1 - c.p).prod(0).prod(-1) for c in tape.calls]).prod(
        0
    )
    assert float(chance.sum()) == pytest.approx(1, abs=1e-12)
    weight = (chance * squared(out))[:, None].detach()
    # spikes that are impossible have weight 0
    gains = [(torch.where(c.fired == 1, 1 / c.p, -1 / (1 - c.p)) * weight).nan_to_num() for c in tape.calls]
    torch.autograd.backward([c.fired for c in tape.calls], gains)
    kinked = type(problem.family) in (nsnn.FastSigmoid, nsnn.Triangular)
    np.testing.assert_allclose(gradient_of(net), problem.gradient(), atol=1e-5 if kinked else 1e-8)


@pytest.mark.parametrize(
    ("gradient", "draws", "precise"), [("local_expectation", 1, 0.03), ("score_function", 8, 0.08)]
)
@pytest.mark.parametrize("seed", [0, 7])
def test_the_mean_over_draws_is_the_gradient(seed: int, gradient: str, draws: int, precise: float) -> None:
    """|t| < 6 (15 degrees of freedom) for each of some 20 parameters, from 16 batches; NDL's mean is elsewhere."""
    problem = Problem(seed)
    exact, net = problem.gradient(), problem.net()
    x = torch.tensor(problem.x)[:, None].expand(-1, 600, -1)

    def batches(**options: Any) -> np.ndarray:
        estimates = []
        for k in range(16):
            net.zero_grad()
            deep.backward(net, x, squared, seed=k, **options)
            estimates.append(gradient_of(net))
        return np.array(estimates)

    estimates = batches(gradient=gradient, draws=draws)
    error = estimates.std(0, ddof=1) / np.sqrt(16)
    assert np.abs((estimates.mean(0) - exact) / error).max() < 6
    assert error.max() < precise * np.abs(exact).max()
    biased = batches(gradient="ndl")
    assert np.abs((biased.mean(0) - exact) / (biased.std(0, ddof=1) / np.sqrt(16) + 1e-12)).max() > 10


def test_the_example_of_one_step_has_its_digits() -> None:
    """Mean over the eight patterns, weighted by their probabilities: what each gradient expects."""
    (o,) = reference.patterns([W], 1)
    chance = torch.tensor([
        float(reference.probability([W], [[1.0, 0.7]], [one], nsnn.Gaussian(0.4), beta=0.5, theta=0.5, reset="hard"))
        for one in o
    ])  # fmt: skip
    patterns = torch.tensor(o, dtype=torch.float64).transpose(0, 1)

    class Given(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.fire = (
                nn.Linear(2, 3, bias=False),
                deep.NoisySpike(nsnn.Gaussian(0.4), theta=0.5),
            )

        def forward(self, x: Any) -> Any:
            return self.fire(self.linear(x), spikes=patterns.repeat(1, x.shape[1] // 8, 1))

    net = Given().double()
    net.linear.weight.data = torch.tensor(W.T)
    x = torch.tensor([[[1.0, 0.7]]], dtype=torch.float64).expand(1, 8, 2)
    for gradient, expected in (("local_expectation", TRUE), ("ndl", NDL)):
        net.zero_grad()
        deep.backward(net, x, lambda o: 8 * chance * squared(o), gradient=gradient)
        np.testing.assert_allclose(net.linear.weight.grad.T, expected, atol=6e-7)


def test_residual_convolutional_and_readout_layers_have_their_gradients() -> None:
    """A readout without spikes; the loss's own slope is exact, and the mean of both unbiased gradients agrees."""
    torch.manual_seed(2)
    net = nn.Sequential(
        deep.EachStep(nn.Conv2d(1, 2, 2)), deep.NoisySpike(nsnn.Gaussian(0.4), axis=1, theta=0.3),
        deep.EachStep(nn.Flatten(), nn.Linear(8, 3)),
        deep.Residual(nn.Sequential(nn.Linear(3, 3), deep.NoisySpike(nsnn.Logistic(0.3)))), nn.Linear(3, 2),
    )  # fmt: skip
    x = torch.rand(2, 1, 1, 3, 3).expand(2, 200, 1, 3, 3)
    estimates = {}
    for gradient in ("local_expectation", "score_function"):
        each = []
        for k in range(16):
            net.zero_grad()
            deep.backward(net, x, lambda o: o.sum(0).square().sum(-1), gradient=gradient, draws=4, seed=k)
            each.append(gradient_of(net))
        estimates[gradient] = np.mean(each, 0), np.var(each, 0, ddof=1) / 16
    (one, error), (other, wide) = estimates.values()
    assert (np.abs(one - other) < 5 * np.sqrt(error + wide) + 1e-6).all()
    assert np.sqrt(wide.sum()) < 0.2 * np.linalg.norm(one)
    assert error.sum() < wide.sum()


@pytest.mark.parametrize("gradient", ["ndl", "local_expectation", "score_function"])
def test_fit_learns_by_each_and_resumes(gradient: str, tmp_path: Any) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    X = np.clip(0.2 * rng.random((60, 3)) + 0.8 * np.eye(3)[y], 0, 1)
    torch.manual_seed(1)
    layers = nn.Sequential(
        nn.Linear(3, 6),
        deep.NoisySpike(nsnn.Gaussian(0.4)),
        nn.Linear(6, 3),
        deep.NoisySpike(nsnn.Gaussian(0.4)),
    )
    options = {
        "loss": losses.rate_mse,
        "batch": 10,
        "seed": 1,
        "validation": 0,
        "eta": 0.05,
        "gradient": gradient,
        "draws": 4,
    }
    net = deep.Classifier(layers, n_steps=3)
    whole = deep.fit(net, (X, y), epochs=4, **options)
    assert whole.history.loss.iloc[-1] < 0.95 * whole.history.loss.iloc[0]
    deep.fit(net, (X, y), epochs=2, checkpoint=tmp_path / "net.npz", **options)
    again = deep.fit(net, (X, y), epochs=4, checkpoint=tmp_path / "net.npz", **options)
    for a, b in zip(whole.module.parameters(), again.module.parameters(), strict=True):
        assert torch.equal(a, b)
    other = {**options, "draws": 3}
    with pytest.raises(nsnn.NsnnError, match="estimator"):
        deep.fit(net, (X, y), epochs=4, checkpoint=tmp_path / "net.npz", **other)


def test_errors_name_the_argument() -> None:
    x = torch.zeros(2, 4, 3)
    net = nn.Sequential(nn.Linear(3, 3), deep.NoisySpike(nsnn.Gaussian(0.4)))
    norm = nn.Sequential(
        deep.EachStep(nn.Linear(3, 3), nn.BatchNorm1d(3)), deep.NoisySpike(nsnn.Gaussian(0.4))
    )
    data = np.zeros((4, 3)), np.zeros(4, dtype=int)

    def run(module: Any = net, loss: Any = lambda o: o.sum((0, 2)), x: Any = x, **options: Any) -> Any:
        return deep.backward(module, x, loss, **options)

    def fitted(**options: Any) -> Any:
        return deep.fit(deep.Classifier(net), data, loss=losses.rate_mse, epochs=1, validation=0, **options)

    assert_refused([
        (lambda: run(gradient="exact"), "gradient = 'exact'", ""),
        (lambda: run(draws=0), "draws = 0", ""),
        (lambda: run(x=[1.0]), "x is list", ""),
        (lambda: run(loss=lambda o: o.sum()), "loss gives", "(4,)"),
        (lambda: run(deep.twin(net)), "noisy=False", "ndl"),
        (lambda: run(norm), "batch statistics at '0.1'", "eval"),
        (lambda: fitted(gradient="exact"), "gradient = 'exact'", ""),
        (lambda: fitted(gradient="score_function", algorithm="online"), 'algorithm = "online"', "gradient"),
    ])  # fmt: skip
    assert run(norm.eval()).shape == (1, 4)


def test_a_row_of_the_table_of_biases_can_be_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/gradient_bias.json: what comes from sums over patterns; local expectations agree with the exact gradient."""
    docs = Path(__file__).resolve().parents[2] / "docs"
    monkeypatch.syspath_prepend(str(docs))
    script = importlib.import_module("gradient_bias")
    monkeypatch.setattr(script, "RUNS", 3)
    stored = json.loads(script.RESULTS.read_text())
    rows = [script.measure(script.KINDS["no hidden layer"], seed) for seed in range(stored["networks"])]
    for key in ("bias", "cosine", "sd_ndl", "sd_score_function"):
        median = np.median([row[key] for row in rows])
        assert stored["median"]["no hidden layer"][key] == pytest.approx(median, rel=1e-3)
    assert all(row["z_local_expectation"] < 1.6 for row in stored["median"].values())
    assert set(stored["median"]) == set(script.KINDS)
