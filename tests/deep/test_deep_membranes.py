"""Learned beta, theta, noise and delays: gradients against sums over all spike patterns and differences; bounds, files."""

from __future__ import annotations

import copy
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
from nsnn_neuro.deep.objective import signal_in_time, values  # noqa: E402
from nsnn_neuro.deep.online import taped  # noqa: E402

LEARNED = {"learn_beta": True, "learn_theta": True}
# SCIENCE: one step of a net 2-3 and a loss that isn't affine
W = np.array([[0.8, -0.3, 0.5], [0.2, 0.9, -0.6]])
X = np.array([[1.0, 0.7]])
MEAN, GRADIENT = 0.231596600, [[-0.112818, 0.014474, 0.549276], [-0.078973, 0.010132, 0.384493]]


def squared(o: list[np.ndarray]) -> Any:
    return (o[-1].sum(-2) @ np.array([0.6, -0.4, 1.1])[: o[-1].shape[-1]] - 0.5) ** 2


def slope(function: Any, h: float = 3e-4) -> Any:
    """Central difference of fourth order at 0."""
    return (function(-2 * h) - 8 * function(-h) + 8 * function(h) - function(2 * h)) / (12 * h)


def dense(w: np.ndarray, family: Any, **options: Any) -> nn.Sequential:
    """One layer with weights w (pre, post)."""
    net = nn.Sequential(nn.Linear(*w.shape, bias=False), deep.NoisySpike(family, **options)).double()
    net[0].weight.data = torch.tensor(w.T)
    return net


def random_problem(seed: int) -> tuple[np.ndarray, np.ndarray, Any, dict[str, Any]]:
    """Weights, input, noise and neurons; beta and theta are numbers or arrays."""
    rng = np.random.default_rng(seed)
    n_in, n, n_steps = *rng.integers(1, 4, 2), rng.integers(2, 4)
    size = n if seed % 2 else None
    args = {"beta": rng.uniform(0.2, 0.9, size), "theta": rng.uniform(0.4, 1.2, size)}
    reset = ["hard", "subtract"][seed // 2 % 2]
    family = FAMILIES[seed % len(FAMILIES)]
    return rng.normal(0.3, 0.6, (n_in, n)), rng.random((n_steps, n_in)), family, args | {"reset": reset}


def expectation(net: nn.Sequential, x: np.ndarray, n: int) -> Any:
    """E[L] of a layer of n neurons from the probabilities of all its spike patterns, with a gradient."""
    n_steps = len(x)
    (patterns,) = reference.patterns([np.zeros((x.shape[1], n))], n_steps)
    every = torch.tensor(patterns, dtype=torch.float64).transpose(0, 1)
    drive = torch.tensor(x)[:, None].expand(-1, every.shape[1], -1)
    value = torch.tensor(squared([every.transpose(0, 1).numpy()]))
    return (deep.log_likelihood(net, drive, every).exp() * value).sum()


def test_the_example_of_one_step_has_its_digits() -> None:
    net = dense(W, nsnn.Gaussian(0.4), theta=np.full(3, 0.5), **LEARNED)
    mean = expectation(net, X, 3)
    mean.backward()
    assert mean.item() == pytest.approx(MEAN, abs=1e-9)
    np.testing.assert_allclose(net[0].weight.grad.T, GRADIENT, atol=6e-7)
    for k in range(3):
        theta = lambda h, k=k: reference.enumerate(  # noqa: E731
            [W], X, squared, nsnn.Gaussian(0.4), beta=0.5, theta=0.5 + h * np.eye(3)[k], reset="hard"
        )[0]
        assert float(net[1].theta_shift.grad[k]) == pytest.approx(slope(theta), abs=1e-9)


@pytest.mark.parametrize("seed", range(50))
def test_gradients_of_beta_and_theta_are_those_of_the_enumerated_loss(seed: int) -> None:
    """The gradient of the logit is beta (1 - beta) times that of beta; arrays one place at a time."""
    w, x, family, args = random_problem(seed)
    net = dense(w, family, **args, **LEARNED)
    expectation(net, x, w.shape[1]).backward()
    for name, shift in (("beta", net[1].beta_shift), ("theta", net[1].theta_shift)):
        start = np.asarray(args[name])
        for place in np.ndindex(start.shape):
            unit = np.zeros(start.shape)
            unit[place] = 1

            def mean(h: float, name: str = name, step: Any = unit) -> float:
                return reference.enumerate([w], x, squared, family, **args | {name: args[name] + h * step})[0]

            factor = start[place] * (1 - start[place]) if name == "beta" else 1
            slope_now = float(shift.grad[place])
            assert slope_now == pytest.approx(float(slope(mean)) * factor, abs=1e-10)


def smooth(
    drive: Any, spikes: Any, sigma: Any, beta: Any, theta: Any, level: Any, hard: bool, detached: bool
) -> Any:
    """Potentials and spikes of given steps with do/du = f, written out once more; Gaussian noise."""
    u = torch.zeros_like(drive[0])
    o, fired = torch.zeros_like(drive[0]), []
    for now, given in zip(drive, spikes, strict=True):
        past = o.detach() if detached else o
        u = now + beta * (u * (1 - past) if hard else u - theta * past)
        p = torch.special.ndtr((u - theta) / (sigma * level.exp()))
        o = given + p - p.detach()
        fired.append(o)
    return torch.stack(fired)


@pytest.mark.parametrize("in_cache", [2**17, 12])
@pytest.mark.parametrize("seed", range(8))
def test_the_backward_pass_of_all_steps_is_that_of_autograd(
    seed: int, in_cache: int, monkeypatch: Any
) -> None:
    """Also with parameters along channels, parts of a batch, and one step at a time."""
    monkeypatch.setattr("nsnn_neuro.deep.law._IN_CACHE", in_cache)
    rng = np.random.default_rng(seed)
    hard, detached, many = seed % 2 == 0, seed // 2 % 2 == 0, seed // 4 == 0
    size = 3 if many else None
    family = nsnn.Gaussian(rng.uniform(0.3, 0.6, size))
    args = {"beta": rng.uniform(0.2, 0.9, size), "theta": rng.uniform(0.4, 1.2, size)}
    cell = deep.NoisySpike(
        family, **args, reset="hard" if hard else "subtract", reset_path="detached" if detached else "exact",
        axis=1, learn_noise=True, **LEARNED,
    ).double()  # fmt: skip
    drive = torch.tensor(rng.normal(0.5, 0.5, (5, 6, 3, 2)), requires_grad=True)
    spikes = torch.tensor(rng.random((5, 6, 3, 2)) < 0.4).double()
    weight = torch.tensor(rng.normal(size=drive.shape))
    shape = (3, 1) if many else ()

    def of(value: Any) -> Any:
        return torch.tensor(value, dtype=torch.float64).reshape(shape)

    leaves = [of(args["beta"]), of(args["theta"]), torch.zeros(shape, dtype=torch.float64)]
    for leaf in leaves:
        leaf.requires_grad_()
    expected = torch.autograd.grad(
        (smooth(drive, spikes, of(family.sigma), *leaves, hard, detached) * weight).sum(), [drive, *leaves]
    )
    beta = leaves[0].detach()
    parameters = [drive, cell.beta_shift, cell.theta_shift, cell.log_level]
    state, fired = None, []
    for now, given in zip(drive, spikes, strict=True):
        state = cell.step(now, state, spikes=given)
        fired.append(state.o)
    for out in (cell(drive, spikes=spikes), torch.stack(fired)):
        pairs = torch.autograd.grad((out * weight).sum(), parameters)
        wanted = [expected[0], expected[1] * beta * (1 - beta), *expected[2:]]
        for a, b in zip(pairs, wanted, strict=True):
            torch.testing.assert_close(a, b.reshape(a.shape), rtol=1e-10, atol=1e-12)


def test_online_gradients_of_an_output_layer_are_those_of_bptt() -> None:
    net = dense(W, nsnn.Gaussian(0.4), learn_noise=True, **LEARNED)
    x, y = torch.rand(6, 4, 2, dtype=torch.float64), np.array([0, 1, 2, 1])
    pairs = []
    for online in (False, True):
        net.zero_grad()
        torch.manual_seed(1)
        if online:
            with taped(net) as tape:
                out = net(x)
            tape.backward(out, signal_in_time(losses.cross_entropy_step, out, y) / 4)
        else:
            values(losses.cross_entropy_step, net(x), y).mean().backward()
        pairs.append([p.grad for p in net.parameters()])
    for a, b in zip(*pairs, strict=True):
        assert a.abs().max() > 1e-4
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("shift", [-1e4, -30.0, 30.0, 1e4])
def test_values_stay_within_their_bounds_wherever_parameters_go(shift: float) -> None:
    cell = deep.NoisySpike(nsnn.Gaussian(0.4), learn_noise=True, **LEARNED)
    for p in cell.parameters():
        p.data.fill_(shift)
    assert 0 <= float(cell.beta) < 1
    assert 0 < cell.family.sigma < np.inf
    drive = torch.randn(4, 3, 2, requires_grad=True)
    cell(drive).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in (drive, *cell.parameters()))


def test_learned_neurons_are_saved_copied_and_converted(tmp_path: Any) -> None:
    """Each keeps the learned values; a file of neurons that do not learn them is refused."""
    net = dense(W, nsnn.Gaussian(0.4), beta=np.array([0.2, 0.5, 0.8]), learn_noise=True, **LEARNED)
    start = copy.deepcopy(net)
    for p in net[1].parameters():
        p.data.add_(torch.linspace(0.2, 0.4, max(p.numel(), 1), dtype=p.dtype).reshape(p.shape))
    deep.save(net, tmp_path / "net.pt")
    with pytest.raises(nsnn.NsnnError, match="beta_shift"):
        deep.load(dense(W, nsnn.Gaussian(0.4), beta=np.array([0.2, 0.5, 0.8])), tmp_path / "net.pt")
    with pytest.raises(nsnn.NsnnError, match="beta"):
        deep.load(dense(W, nsnn.Gaussian(0.4), beta=0.5, learn_noise=True, **LEARNED), tmp_path / "net.pt")
    loaded = deep.load(start, tmp_path / "net.pt")
    moved = deep.from_network(deep.to_network(net), learn_beta=True, learn_theta=True)
    assert moved[1].beta_shift.shape == (3,)
    x = torch.rand(5, 400, 2, dtype=torch.float64)
    expected = deep.passes(net, x, 1, seed=1)
    for other in (loaded, copy.deepcopy(net), moved):
        assert torch.equal(deep.passes(other, x, 1, seed=1), expected)
    beta = 1 / (1 + np.exp(-np.log([0.25, 1, 4]) - np.array([0.2, 0.3, 0.4])))
    np.testing.assert_allclose(net[1].neuron.beta, beta, rtol=1e-12)
    still = deep.twin(net)[1]
    np.testing.assert_array_equal(still.neuron.beta, net[1].neuron.beta)
    assert not still.noisy
    assert still.beta_shift is not None


def test_fit_learns_them_and_resumes(tmp_path: Any) -> None:
    x, y = np.random.default_rng(0).random((60, 2)), np.arange(60) % 3
    options = {"loss": losses.rate_mse, "batch": 20, "seed": 1, "validation": 0}
    net = deep.Classifier(
        nn.Sequential(nn.Linear(2, 3), deep.NoisySpike(nsnn.Gaussian(0.4), learn_noise=True, **LEARNED)),
        n_steps=4,
    )
    whole = deep.fit(net, (x, y), epochs=4, **options).module.module[1]
    deep.fit(net, (x, y), epochs=2, checkpoint=tmp_path / "net.npz", **options)
    again = deep.fit(net, (x, y), epochs=4, checkpoint=tmp_path / "net.npz", **options).module.module[1]
    assert whole.neuron.beta != 0.5
    assert whole.neuron.theta != 1
    assert (whole.neuron.beta, whole.neuron.theta) == (again.neuron.beta, again.neuron.theta)


# ---------------------------------------------------------------------------------------------------------------- delays


def delayed(x: np.ndarray, delay: np.ndarray) -> np.ndarray:
    """x (T, n) later by delays (n,) in steps, 0 before."""
    at = np.arange(len(x))
    return np.stack([np.interp(at - d, at, column, left=0) for d, column in zip(delay, x.T, strict=True)], 1)


def late_mean(w: np.ndarray, x: np.ndarray, delay: np.ndarray, family: Any, args: dict[str, Any]) -> float:
    """The enumerated loss with a delay of each input, (pre,), or of each synapse, (post, pre)."""
    x = np.concatenate([np.zeros((1, x.shape[1])), x])  # np.interp knows the ramp from 0 to the first step
    if delay.ndim == 1:
        return reference.enumerate([w], delayed(x, delay)[1:], squared, family, **args)[0]
    wide = np.concatenate([np.where(np.arange(len(delay)) == j, w, 0) for j in range(len(delay))])
    late = np.concatenate([delayed(x, row) for row in delay], axis=1)
    return reference.enumerate([wide], late[1:], squared, family, **args)[0]


@pytest.mark.parametrize("seed", range(50))
def test_gradients_of_delays_are_those_of_the_enumerated_loss(seed: int) -> None:
    """Of inputs and of synapses; also those of the weights, beta and theta behind the delays."""
    w, x, family, args = random_problem(seed)
    rng = np.random.default_rng(seed)
    most = len(x) - 1
    shape = w.shape[:1] if seed % 3 else w.shape[::-1]
    delay = (rng.integers(0, most, shape) + rng.uniform(0.01, 0.99, shape)).astype(np.float32).astype(float)
    net = dense(w, family, **args, **LEARNED)
    if seed % 3:
        late = nn.Sequential(deep.Delays(len(w), most, initial=delay).double(), *net)
    else:
        late = nn.Sequential(deep.Delays(net[0], most, initial=delay).double(), net[1])
    expectation(late, x, w.shape[1]).backward()
    for place in np.ndindex(shape):
        unit = np.zeros(shape)
        unit[place] = 1
        expected = slope(lambda h, step=unit: late_mean(w, x, delay + h * step, family, args))
        assert float(late[0].delay.grad[place]) == pytest.approx(float(expected), abs=1e-10)


def test_delays_of_whole_steps_shift_and_those_of_channels_and_synapses_agree() -> None:
    x = torch.randn(6, 4, 3, 2, 2, dtype=torch.float64)
    module = deep.Delays(3, 5, initial=[0, 2, 5], axis=1).double()
    out = module(x)
    for channel, lag in enumerate((0, 2, 5)):
        assert torch.equal(out[lag:, :, channel], x[: 6 - lag, :, channel])
        assert not out[:lag, :, channel].any()
    linear = nn.Linear(3, 2).double()
    flat = x[..., 0, 0]
    each = deep.Delays(linear, 5, initial=[[0, 2, 5]] * 2).double()
    torch.testing.assert_close(each(flat), linear(deep.Delays(3, 5, initial=[0, 2, 5]).double()(flat)))
    half = deep.Delays(1, 3, initial=1.5)
    assert half.round_().delay.item() == 2
    drawn = deep.Delays(1000, 4).delay
    assert 0 <= drawn.min() < 0.1
    assert 3.9 < drawn.max() <= 4


def test_delays_stay_within_their_bounds_and_come_back() -> None:
    """Beyond a bound the gradient passes only where descent leads back."""
    ramp = torch.arange(8.0)[:, None]
    for start, sign, passes in (
        (-0.5, 1, False),
        (-0.5, -1, True),
        (0.0, 1, True),
        (4.0, 1, True),
        (4.5, -1, False),
    ):
        module = deep.Delays(1, 4)
        module.delay.data.fill_(start)
        assert 0 <= module.steps.item() <= 4
        (-sign * module(ramp)[5:].sum()).backward()  # later is less: the slope in the delay has this sign
        assert module.delay.grad.item() == (3 * sign if passes else 0)  # one in each of three steps


def test_delays_are_learned_and_saved(tmp_path: Any) -> None:
    def net() -> Any:
        return nn.Sequential(deep.Delays(nn.Linear(2, 3), 2), deep.NoisySpike(nsnn.Gaussian(0.4)))

    first = net()
    deep.save(first, tmp_path / "net.pt")
    x = torch.rand(4, 5, 2)
    loaded = deep.load(net(), tmp_path / "net.pt")
    assert torch.equal(deep.passes(first, x, 1, seed=1), deep.passes(loaded, x, 1, seed=1))
    other = nn.Sequential(deep.Delays(nn.Linear(2, 3), 3), deep.NoisySpike(nsnn.Gaussian(0.4)))
    with pytest.raises(nsnn.NsnnError, match="max_steps"):
        deep.load(other, tmp_path / "net.pt")
    data = np.random.default_rng(0).random((30, 2)), np.arange(30) % 3
    classifier = deep.Classifier(first, n_steps=4)
    fit = deep.fit(classifier, data, loss=losses.rate_mse, epochs=1, validation=0, seed=1)
    assert (fit.module.module[0].delay != first[0].delay).any()


def test_errors_name_the_argument() -> None:
    def neurons(**options: Any) -> Any:
        return deep.NoisySpike(nsnn.Gaussian(0.4), **options)

    rows = [
        (lambda: neurons(beta=0.0, learn_beta=True), "beta = 0.0", "learn_beta"),
        (lambda: neurons(beta=[0.5, 1.0], learn_beta=True), "beta = [0.5, 1.0]", "below 1"),
        (lambda: neurons(theta=np.nan, learn_theta=True), "theta", ""),
        (lambda: neurons(beta=np.full(4, 0.5), learn_beta=True)(torch.zeros(2, 3)), "beta has 4 values", ""),
        (lambda: neurons(theta=np.ones(4), learn_theta=True)(torch.zeros(2, 3)), "theta has 4 values", ""),
        (lambda: deep.Delays(0, 3), "n = 0", ""),
        (lambda: deep.Delays(2, 0), "max_steps = 0", ""),
        (lambda: deep.Delays(2, 3, initial=4), "initial = 4", "0 to 3"),
        (lambda: deep.Delays(2, 3, initial=[1, np.nan]), "initial", "0 to 3"),
        (lambda: deep.Delays(2, 3, initial=[1, 2, 3]), "initial has shape (3,)", "(2,)"),
        (lambda: deep.Delays(nn.Linear(2, 2), 3, axis=1), "axis = 1", "-1"),
        (lambda: deep.Delays(2, 3)(torch.zeros(3, 1, 2)), "max_steps = 3", "trial of 3 steps"),
        (lambda: deep.Delays(2, 3)(torch.zeros(5, 1, 3)), "x is", "2 along axis -1"),
        (lambda: deep.Delays(2, 3, axis=1)(torch.zeros(5, 2)), "x is", "axis 1"),
        (lambda: deep.to_nir([deep.Delays(nn.Linear(2, 2), 3), neurons()]), "Delays", "before it"),
        (lambda: deep.to_network([deep.Delays(2, 3), nn.Linear(2, 2), neurons()]), "Delays at '0'", ""),
    ]
    assert_refused(rows)
