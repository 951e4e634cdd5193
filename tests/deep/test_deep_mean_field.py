"""The mean-field control: probabilities in place of draws, against means over draws, enumeration and finite differences."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import numpy as np
import pytest
from helpers.refusals import assert_refused
from helpers.with_torch import own_noise  # noqa: F401

from nsnn_neuro import Gaussian, Logistic, NsnnError, losses

torch = pytest.importorskip("torch")
from nsnn_neuro import deep  # noqa: E402

nn = torch.nn


def net(**options: Any) -> Any:
    """Two inputs, three noisy neurons, a linear readout; in float64."""
    torch.manual_seed(1)
    cell = deep.NoisySpike(Gaussian(0.4), theta=0.5, **options)
    return nn.Sequential(nn.Linear(2, 3), cell, nn.Linear(3, 1)).double()


def test_one_step_with_a_linear_readout_is_the_mean_over_all_patterns_of_spikes_and_over_draws() -> None:
    """Its value and its gradient, exactly; and the mean over 20,000 draws, |z| < 4."""
    noisy, x = net(), torch.tensor([[0.8, -0.3]]).double()
    control = deep.mean_field(noisy)
    linear, cell, readout = copy.deepcopy(noisy)
    p = cell.probability(linear(x))[0]
    expected = sum(
        torch.where(o == 1, p, 1 - p).prod() * readout(o)
        for o in torch.tensor([*itertools.product((0.0, 1.0), repeat=3)]).double()
    )
    out = control(x[None])
    torch.testing.assert_close(out.flatten(), expected, rtol=1e-12, atol=1e-14)
    out.sum().backward()
    expected.sum().backward()
    torch.testing.assert_close(control[0].weight.grad, linear.weight.grad, rtol=1e-10, atol=1e-12)
    draws = noisy(x.expand(1, 20_000, 2)).detach().numpy()
    assert abs(draws.mean() - out.item()) < 4 * draws.std() / np.sqrt(draws.size)
    assert torch.equal(control(x[None]), out)
    assert noisy[1].noisy, "the module itself is unchanged"


@pytest.mark.parametrize("reset", ["hard", "subtract"])
def test_several_steps_follow_the_recursion_and_gradients_are_exact(reset: str) -> None:
    """u = beta kept(u, o) + drive, o = F(u - theta), all at once and one by one; gradients by differences, also of parameters."""
    learned = {f"learn_{name}": True for name in ("beta", "theta", "noise")}
    cell = deep.NoisySpike(Logistic(0.3), reset=reset, mean_field=True, **learned).double()
    drive = torch.linspace(-1, 2, 15).double().reshape(5, 1, 3).requires_grad_()
    u, o, state, out = torch.zeros(1, 3), torch.zeros(1, 3), None, cell(drive)
    for now, expected in zip(drive, out, strict=True):
        u = 0.5 * (u * (1 - o) if reset == "hard" else u - o) + now
        o = torch.sigmoid((u - 1) / 0.3)
        state = cell.step(now, state)
        for emitted in (state.o, expected):
            torch.testing.assert_close(emitted, o.expand_as(emitted), rtol=1e-12, atol=1e-14)
    parameters = tuple(cell.parameters())
    assert torch.autograd.gradcheck(lambda *_: cell(drive), (drive, *parameters))


def test_another_width_changes_the_gradient_alone() -> None:
    cell, drive = deep.NoisySpike(Gaussian(0.3), mean_field=True), torch.tensor([[0.8]], requires_grad=True)
    out = cell(drive)
    with deep.neuron.surrogate(cell, 1.2):
        again = cell(drive)
    assert torch.equal(again, out)
    (slope,) = torch.autograd.grad(again.sum(), drive)
    assert slope.item() == pytest.approx(np.exp(-0.5 * (0.2 / 1.2) ** 2) / (1.2 * np.sqrt(2 * np.pi)))


def test_large_layers_take_the_same_path_as_small_ones() -> None:
    """The kernels of large Gaussian layers draw, so the control goes without them."""
    cell, drive = deep.NoisySpike(Gaussian(0.3), mean_field=True), torch.full((2, 1, 2**16), 0.8)
    torch.testing.assert_close(cell(drive)[:, :, :3], cell(drive[:, :, :3]))


def test_it_learns_and_its_deterministic_copy_spikes() -> None:
    data = np.eye(4, dtype=np.float32).repeat(8, 0), np.arange(4).repeat(8)
    torch.manual_seed(1)
    layers = nn.Sequential(
        nn.Linear(4, 16), deep.NoisySpike(Gaussian(0.4)), nn.Linear(16, 4), deep.NoisySpike(Gaussian(0.4))
    )
    fit = deep.fit(
        deep.mean_field(deep.Classifier(layers, n_steps=4)),
        data, loss=losses.rate_mse, epochs=20, eta=0.05, validation=0, seed=1, progress=False,
    )  # fmt: skip
    assert fit.history.accuracy.iloc[-1] == 1
    spikes = deep.twin(fit.module).spikes(torch.eye(4))
    assert set(spikes.unique().tolist()) <= {0, 1}


def test_refusals_name_the_argument_and_the_cure() -> None:
    control, x = deep.mean_field(net()), torch.ones(1, 1, 2).double()
    rows: list[Any] = [
        (lambda: deep.mean_field(deep.twin(net())), "module", "noisy=True"),
        (lambda: deep.mean_field(nn.Linear(2, 2)), "module is Linear", "NoisySpike"),
        (lambda: deep.mean_field("net"), "module is str", "torch.nn.Module"),
        (lambda: deep.to_network(control[:2]), "mean_field = True", "mean_field=False"),
        (lambda: deep.backward(control, x, lambda o: o.sum((0, 2))), "noisy=False", '"ndl"'),
    ]
    assert_refused(rows)


def test_nir_graphs_of_it_are_refused() -> None:
    pytest.importorskip("nir")
    with pytest.raises(NsnnError, match="mean_field = True"):
        deep.to_nir(deep.mean_field(net()[:2]))
