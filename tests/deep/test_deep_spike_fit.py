"""Fits of networks to recorded spikes: likelihood and gradient against NumPy and enumeration, what a fit learns, bad input."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brian2 import ms
from helpers.refusals import assert_refused
from helpers.with_torch import own_noise  # noqa: F401
from scipy.stats import norm

from nsnn_neuro import Gaussian, Logistic, NsnnError, NSNNNeuron, Uniform
from nsnn_neuro.likelihood import Lags, NetworkModel, window_bounds
from nsnn_neuro.likelihood.network_objective import bound_slope

torch = pytest.importorskip("torch")
deep = pytest.importorskip("nsnn_neuro.deep")
spike_fit = pytest.importorskip("nsnn_neuro.deep.spike_fit")
nn = torch.nn


def layers(
    *sizes: int,
    noise: float = 0.4,
    hidden_noise: bool = True,
    seed: int = 0,
    scale: float = 1.0,
    **options: Any,
) -> Any:
    """Dense layers in float64, noisy throughout or in the last layer only."""
    torch.manual_seed(seed)
    modules = []
    for k, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        linear = nn.Linear(n_in, n_out)
        with torch.no_grad():
            linear.weight.mul_(scale)
        last = k == len(sizes) - 2
        modules += [linear, deep.NoisySpike(Gaussian(noise), noisy=hidden_noise or last, **options)]
    return nn.Sequential(*modules).double()


def windows(n: int, n_steps: int, n_in: int, n_out: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, n_steps, n_in)), (rng.random((n, n_steps, n_out)) < 0.3).astype(float)


def in_numpy(net: Any, reset: str) -> tuple[NetworkModel, list[np.ndarray]]:
    """Two dense layers as a `NetworkModel`."""
    first, second = net[0], net[2]
    weights = [
        np.concatenate([layer.bias.detach().numpy()[None], layer.weight.detach().numpy().T])
        for layer in (first, second)
    ]
    neuron = NSNNNeuron(beta=0.5, theta=1.0, reset=reset)
    model = NetworkModel(
        dt=1 * ms, stimulus=Lags(first.in_features), n_hidden=first.out_features, n_outputs=second.out_features,
        family=net[3].family, hidden=neuron, output=neuron, noisy=net[1].noisy,
    )  # fmt: skip
    return model, weights


@pytest.mark.parametrize("reset", ["hard", "subtract"])
def test_without_hidden_noise_value_and_gradient_are_those_of_numpy(reset: str) -> None:
    net = layers(3, 5, 2, hidden_noise=False, reset=reset, scale=2.0)
    x, o = windows(4, 7, 3, 2)
    value = deep.log_likelihood(
        net, torch.tensor(x).transpose(0, 1), torch.tensor(o).transpose(0, 1), draws=3
    )
    model, weights = in_numpy(net, reset)
    with_ones = np.concatenate([np.ones((*x.shape[:2], 1)), x], axis=2)
    expected = window_bounds(model, weights, with_ones, o[:, None])[:, 0]
    assert value.detach().numpy() == pytest.approx(expected, rel=1e-12)
    value.mean().backward()
    slope = bound_slope(
        model, weights, with_ones[:, :, None], o.transpose(1, 0, 2)[:, :, None], 1, np.random.default_rng(0)
    )[1]
    for layer, one in zip((net[0], net[2]), slope, strict=True):
        weight, bias = layer.weight.grad.numpy(), layer.bias.grad.numpy()
        assert pytest.approx(one[1:], rel=1e-9, abs=1e-12) == weight.T
        assert bias == pytest.approx(one[0], rel=1e-9, abs=1e-12)


@pytest.mark.slow
def test_many_draws_give_the_likelihood_that_enumeration_gives() -> None:
    """Two hidden neurons in three steps have 64 patterns."""
    net = layers(2, 2, 1, scale=2.0)
    x, o = windows(3, 3, 2, 1, seed=4)
    drives = net[0](torch.tensor(x)).detach().numpy()
    w, b = net[2].weight.detach().numpy(), net[2].bias.detach().numpy()
    family, exact = Gaussian(0.4), np.zeros(3)
    for bits in itertools.product((0.0, 1.0), repeat=6):
        h = np.array(bits).reshape(3, 2)
        p, u, v, before, h_before = (
            np.ones(3),
            np.zeros((3, 2)),
            np.zeros((3, 1)),
            np.zeros((3, 1)),
            np.zeros(2),
        )
        for t in range(3):
            u = 0.5 * u * (1 - h_before) + drives[:, t]
            q = family.cdf(u - 1)
            p = p * np.where(h[t], q, 1 - q).prod(axis=1)
            v = 0.5 * v * (1 - before) + h[t] @ w.T + b
            q = family.cdf(v - 1)
            p = p * np.where(o[:, t], q, 1 - q).prod(axis=1)
            before, h_before = o[:, t], h[t]
        exact += p
    fit = deep.SpikeFit(None, net, 0)
    found = np.array([fit.log_likelihood((x, o), draws=5000, seed=k) for k in range(5)])
    error = found.std(axis=0, ddof=1) / np.sqrt(5)
    assert (np.abs(found.mean(axis=0) - np.log(exact)) < 5 * error + 1e-3).all()
    one, ten = (
        np.mean([fit.log_likelihood((x, o), draws=k, seed=s) for s in range(200)], axis=0) for k in (1, 10)
    )
    assert (one < ten).all()
    assert (ten < np.log(exact) + 0.02).all()


def test_a_gradient_by_the_output_is_that_of_differences() -> None:
    """Along fixed draws; far from threshold as well, where the density is 0 in float64."""
    net = layers(2, 3, 2)
    with torch.no_grad():
        net[2].bias.copy_(torch.tensor([0.5, -30.0]))
    x, o = (torch.tensor(part).transpose(0, 1) for part in windows(4, 6, 2, 2))
    deep.log_likelihood(net, x, o, draws=4, seed=1).sum().backward()
    slopes = net[2].bias.grad.clone()
    for k in range(2):
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                net[2].bias[k] += sign * 1e-5
                values.append(float(deep.log_likelihood(net, x, o, draws=4, seed=1).sum()))
                net[2].bias[k] -= sign * 1e-5
        assert float(slopes[k]) == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-5)
    assert slopes[1] > 100


def test_the_seed_fixes_the_draws_and_leaves_torchs_generator_alone() -> None:
    net = layers(2, 3, 1)
    x, o = (torch.tensor(part).transpose(0, 1) for part in windows(4, 6, 2, 1))
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one, two = (deep.log_likelihood(net, x, o, seed=s) for s in (1, 1))
    assert torch.equal(one, two)
    assert torch.equal(before, torch.get_rng_state())
    assert not torch.equal(one, deep.log_likelihood(net, x, o))


# --- what a fit learns -------------------------------------------------------------------------------------------------------


def test_the_score_is_that_of_the_formula() -> None:
    """Bits above constant probabilities; a network that ignores its input and has these probabilities scores 0."""
    x, o = windows(50, 10, 2, 1)
    net = layers(2, 1, scale=0.0)
    net[1] = deep.NoisySpike(Gaussian(0.4), beta=0.0)
    with torch.no_grad():
        net[0].bias.fill_(1 + 0.4 * norm.ppf(o.mean()))
    assert deep.SpikeFit(None, net, 0).score((x, o), draws=1).value == pytest.approx(0.0, abs=1e-9)


def test_a_stopped_fit_continues_to_the_same_weights(tmp_path: Path) -> None:
    net, data = layers(2, 3, 1), windows(30, 6, 2, 1)
    options: dict[str, Any] = {"validation": 0.2, "schedule": "constant", "seed": 2, "progress": False}
    whole = deep.fit_spikes(net, data, epochs=4, **options)
    assert whole.history.columns.tolist() == ["epoch", "loss", "bound", "val_loss", "val_bound", "seconds"]
    score = whole.score(data, draws=20)
    assert whole.evaluate(data, draws=20) == {"bits_per_spike": score.value, "se": score.se}
    deep.fit_spikes(net, data, epochs=2, checkpoint=tmp_path / "a.npz", **options)
    again = deep.fit_spikes(net, data, epochs=4, checkpoint=tmp_path / "a.npz", **options)
    assert all(
        torch.equal(a, b) for a, b in zip(whole.module.parameters(), again.module.parameters(), strict=True)
    )
    with pytest.raises(NsnnError, match="another"):
        deep.fit_spikes(net, data, epochs=4, draws=2, checkpoint=tmp_path / "a.npz", **options)


# --- bad input ---------------------------------------------------------------------------------------------------------------


def test_modules_data_and_options_that_do_not_fit_are_named() -> None:
    x, o = windows(5, 6, 2, 1)
    silent = nn.Sequential(nn.Linear(2, 1), deep.NoisySpike(Gaussian(0.4), noisy=False))
    learned = nn.Sequential(deep.NoisySpike(Gaussian(0.4), learn_noise=True))

    def fit(net: Any = None, data: Any = (x, o), **options: Any) -> None:
        deep.fit_spikes(net or layers(2, 1), data, epochs=1, **options)

    rows = [
        ({"net": nn.Linear(2, 1)}, "module is Linear", "an nn.Sequential"),
        ({"net": nn.Sequential(nn.Linear(2, 1))}, "module ends with Linear", "a recorded NoisySpike"),
        ({"net": silent}, "noisy=False", "expected"),
        ({"net": learned}, "learn_noise=True", "expected False"),
        ({"net": layers(3, 1)}, "X has shape", "the module doesn't take such inputs"),
        ({"net": layers(2, 2)}, "O has shape (5, 6, 1)", "(5, 6, 2)"),
        ({"net": deep.EachStep(*layers(2, 1))}, "module is EachStep", "an nn.Sequential"),
        ({"data": x}, "data = ndarray", "a pair"),
        ({"data": (x * np.nan, o)}, "X has shape", "finite numbers"),
        ({"data": (x[:, :, 0], o)}, "X has shape", "expected"),
        ({"data": (x, 2 * o)}, "O has shape", "0 and 1"),
        ({"data": (x, o[:, :-1])}, "O has shape", "0 and 1 of shape (5, 6)"),
        ({"data": (x, 0 * o)}, "data hold no spikes", ""),
        ({"draws": 0}, "draws = 0", "expected"),
        ({"validation": 1.0}, "validation = 1.0", "expected"),
    ]
    assert_refused((functools.partial(fit, **given), *told) for given, *told in rows)


def test_an_output_that_never_fires_is_named() -> None:
    x, o = windows(5, 6, 2, 2)
    o[..., 1] = 0
    with pytest.raises(NsnnError, match="no spikes of output 1 to learn from"):
        deep.fit_spikes(layers(2, 2), (x, o), epochs=1)


def test_other_noise_and_arrays_of_parameters() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(2, 2), deep.NoisySpike(Logistic(0.2), beta=[0.2, 0.8], theta=[1.0, 0.5])
    ).double()
    x, o = (torch.tensor(part).transpose(0, 1) for part in windows(1, 2, 2, 2))
    drive, family = net[0](x).detach().numpy()[:, 0], Logistic(0.2)
    fired, theta = o.numpy()[:, 0], np.array([1.0, 0.5])
    u = np.array([drive[0], drive[1] + np.array([0.2, 0.8]) * drive[0] * (1 - fired[0])])
    p = family.cdf(u - theta)
    expected = np.log(np.where(fired, p, 1 - p)).sum()
    assert deep.log_likelihood(net, x, o).item() == pytest.approx(expected, rel=1e-12)


def test_spikes_that_bounded_noise_makes_impossible_are_named() -> None:
    net = nn.Sequential(nn.Linear(2, 1), deep.NoisySpike(Uniform(0.2))).double()
    with pytest.raises(deep.Diverged, match=r"impossible with Uniform.*expected noise of unlimited range"):
        deep.fit_spikes(net, windows(20, 6, 2, 1), epochs=1, validation=0, seed=1, progress=False)


def test_scores_run_in_parts_that_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of large inputs few samples and draws at a time, with the same weights of all draws."""
    net, data = layers(2, 3, 1, hidden_noise=False), windows(7, 6, 2, 1)
    fit = deep.SpikeFit(None, net, 0)
    whole = fit.log_likelihood(data, draws=5)
    sizes = []
    original = spike_fit.log_likelihood

    def counted(module: Any, x: Any, spikes: Any, **options: Any) -> Any:
        sizes.append(x.shape[1] * options.get("draws", 1))
        return original(module, x, spikes, **options)

    monkeypatch.setattr(spike_fit, "log_likelihood", counted)
    monkeypatch.setattr(spike_fit, "_VALUES", 4 * 12)
    assert fit.log_likelihood(data, draws=5) == pytest.approx(whole)
    assert max(sizes) <= 4
