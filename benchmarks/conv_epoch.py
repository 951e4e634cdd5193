"""An epoch of a convolutional net of noisy neurons, in torch: `deep.NoisySpike` beside SpikingJelly's and snnTorch's neurons.

`python benchmarks/conv_epoch.py [--batches N] [--rounds N] [--quick] [--json FILE]`: processor seconds of one thread for an epoch
of 20,000 images of 3 x 32 x 32, from the time of a few batches of 64, and the memory that a net adds to its process at most. Four
convolutions of 32 to 64 channels with batch norm and a residual sum, four time steps, cross-entropy of every step, Adam; the
convolutions in bfloat16. All nets have the same weights, images and optimiser, and their rounds of batches are taken in turn.
Neurons are u = beta u (1 - o) + drive with beta .5, theta 1 and Gaussian noise of .3, noisy or not; in the peers, which have no
noise, the density of that noise is the surrogate gradient. SpikingJelly's are then our noiseless ones: the gradient of the first
batch must have the same norm, to 1e-3; with a surrogate a sixth narrower it is a tenth larger. The losses after it are no
measure: Adam's first step has one size whatever the gradient, so roundings of gradients near 0 decide. snnTorch's reset is one
step late, so its gradient is not compared.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import subprocess
import sys
import time

import torch
from comparison import NOT_INSTALLED, Agreement, Comparison, Report, add_options
from cost_model import peak
from environment import installed, machine
from torch import nn
from torch.nn import functional

import nsnn_neuro as nsnn
from nsnn_neuro import deep

BETA, THETA, SIGMA, STEPS, BATCH, IMAGES = 0.5, 1.0, 0.3, 4, 64, 20_000


def spiking_jelly() -> nn.Module:
    """Neurons of SpikingJelly; its surrogate `Erf` has the density of Gaussian noise."""
    from spikingjelly.activation_based import neuron, surrogate

    density = surrogate.Erf(alpha=0.5**0.5 / SIGMA)
    return neuron.LIFNode(
        tau=1 / (1 - BETA), decay_input=False, v_threshold=THETA, surrogate_function=density, step_mode="m"
    )


class SnnTorch(nn.Module):
    """Neurons of snnTorch, a step at a time."""

    def __init__(self) -> None:
        import snntorch
        from spikingjelly.activation_based import surrogate

        super().__init__()
        density = surrogate.Erf(alpha=0.5**0.5 / SIGMA)
        self.cell = snntorch.Leaky(beta=BETA, threshold=THETA, spike_grad=density, reset_mechanism="zero")

    def forward(self, drive: torch.Tensor) -> torch.Tensor:
        """Spikes of all steps."""
        u, spikes = self.cell.reset_mem(), []
        for now in drive:
            o, u = self.cell(now, u)
            spikes.append(o)
        return torch.stack(spikes)


def ours(noisy: bool) -> nn.Module:
    """Neurons of this package."""
    return deep.NoisySpike(nsnn.Gaussian(SIGMA), beta=BETA, theta=THETA, noisy=noisy)


NEURONS = {
    "noisy": functools.partial(ours, True),
    "deterministic": functools.partial(ours, False),
    "SpikingJelly, LIFNode": spiking_jelly,
    "snnTorch, Leaky": SnnTorch,
}


class Net(nn.Module):
    """The net, and its optimiser."""

    def __init__(self, arm: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        sizes = ((3, 32, 5, 2), (32, 64, 3, 2), (64, 64, 3, 1), (64, 64, 3, 1))
        self.linear = nn.ModuleList(nn.Conv2d(*size, padding=size[2] // 2, bias=False) for size in sizes)
        self.norms = nn.ModuleList(nn.BatchNorm2d(size[1]) for size in sizes)
        self.readout = nn.Linear(64 * 16, 10)
        self.cells = nn.ModuleList(NEURONS[arm]() for _ in sizes)
        self.optimizer = torch.optim.Adam(self.parameters())

    def drive(self, k: int, x: torch.Tensor) -> torch.Tensor:
        """What layer `k` receives for images or spikes."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = self.linear[k](x.contiguous(memory_format=torch.channels_last))
        out: torch.Tensor = self.norms[k](y.float())
        return out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores (steps, batch, classes)."""

        def layer(k: int, o: torch.Tensor) -> torch.Tensor:
            return self.drive(k, o.flatten(0, 1)).unflatten(0, o.shape[:2])

        first = self.drive(0, x)
        o = self.cells[0](first.expand(STEPS, *first.shape))
        o = self.cells[1](layer(1, o))
        o = self.cells[3](layer(3, self.cells[2](layer(2, o))) + o)
        out: torch.Tensor = self.readout(functional.avg_pool2d(o.flatten(0, 1), 2).flatten(1))
        return out.unflatten(0, o.shape[:2])

    def batch(self, x: torch.Tensor, y: torch.Tensor) -> float:
        """A step of the optimiser; returns the norm of the gradient of a batch's loss."""
        for cell in self.cells:
            if hasattr(cell, "reset"):
                cell.reset()
        loss = functional.cross_entropy(self(x).flatten(0, 1), y.repeat(STEPS))
        self.optimizer.zero_grad()
        loss.backward()
        slope = torch.cat([p.grad.flatten() for p in self.parameters() if p.grad is not None]).norm()
        self.optimizer.step()
        return slope.item()


def images(n: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """`n` batches of noise, with labels."""
    generator = torch.Generator().manual_seed(1)
    made = (
        (
            torch.randn(BATCH, 3, 32, 32, generator=generator),
            torch.randint(0, 10, (BATCH,), generator=generator),
        )
        for _ in range(n)
    )
    return list(made)


def memory(arm: str) -> float:
    """MiB that training adds at most to a process that has imported everything (Linux)."""
    done = subprocess.run(
        [sys.executable, __file__, "--memory", arm], check=True, capture_output=True, text=True
    )
    return float(done.stdout.split()[-1])


def run(report: Report, n_batches: int, rounds: int) -> None:
    """Train all nets, and report ours beside those of the others."""
    needs = {"SpikingJelly, LIFNode": ("spikingjelly",), "snnTorch, Leaky": ("spikingjelly", "snntorch")}
    nets = {arm: Net(arm) for arm in NEURONS if all(map(installed, needs.get(arm, ())))}
    seconds: dict[str, list[float]] = {arm: [] for arm in nets}
    norms: dict[str, list[float]] = {arm: [] for arm in nets}
    data = images(n_batches)
    for k in range(rounds + 1):
        for arm in list(nets)[k % len(nets) :] + list(nets)[: k % len(nets)]:
            begun = time.process_time()
            for x, y in data:
                norms[arm].append(nets[arm].batch(x, y))
            if k:  # the first round compiles
                seconds[arm].append((time.process_time() - begun) / n_batches * (IMAGES // BATCH))
    for arm in nets:
        print(f"memory of {arm}: {memory(arm):.0f} MiB")
    size = f"{IMAGES} images, batches of {BATCH}, {STEPS} steps, {rounds} rounds of {n_batches} batches"
    for arm in ("noisy", "deterministic"):
        for peer in needs:
            if peer not in nets:
                report.add(
                    Comparison(f"epoch of a convolutional net, {arm}", size, (), peer, missing=NOT_INSTALLED)
                )
                continue
            same = None
            if (arm, peer) == ("deterministic", "SpikingJelly, LIFNode"):
                same = Agreement("norm of the first gradient", norms[arm][0], norms[peer][0], slack=1e-3)
            times = tuple(seconds[arm]), tuple(seconds[peer])
            report.add(
                Comparison(f"epoch of a convolutional net, {arm}", size, times[0], peer, times[1], same)
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batches", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--memory",
        metavar="NEURONS",
        choices=NEURONS,
        help="print the memory of training with these, and end",
    )
    add_options(parser)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.memory:
        importlib.import_module("nsnn_neuro.deep.fused")  # and Numba, which otherwise counts for ours
        net, before = Net(given.memory), peak()
        for x, y in images(3):
            net.batch(x, y)
        print((peak() - before) / 2**20)
        return
    print(machine())
    run(Report(given.json), *((2, 1) if given.quick else (given.batches, given.rounds)))


if __name__ == "__main__":
    main()
