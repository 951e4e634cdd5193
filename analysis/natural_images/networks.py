"""The network of the study, its arms, their training, and the noise of a trained network changed in use."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, coding, deep, losses

from .config import N3, TRAINED, Arm, Config

_MEAN, _SD = 0.47, 0.25  # of pixels, about those of the training images
_SHIFT = 3  # pixels


def _moved(images: torch.Tensor) -> torch.Tensor:
    """Images (batch, channels, rows, columns), each flipped with probability 1/2, and the batch shifted."""
    flipped = torch.rand(len(images)) < 0.5
    i, j = (int(k) for k in torch.randint(0, 2 * _SHIFT + 1, (2,)))
    images = torch.where(flipped[:, None, None, None], images.flip(3), images)
    high, wide = images.shape[2:]
    return functional.pad(images, (_SHIFT,) * 4, mode="reflect")[:, :, i : i + high, j : j + wide]


class _Images(nn.Module):
    """Images in training: each flipped with probability 1/2, a batch shifted by up to 3 pixels, noise added. Then scaled.

    It takes the encoder's output (T, batch, channels, rows, columns). All steps get the same change. Flips and shifts are drawn
    before anything else in a pass, so that all arms of a seed get the same ones. Its state is the arm, so that a file of another
    arm is refused.
    """

    def __init__(self, arm: Arm) -> None:
        super().__init__()
        self.arm = dataclasses.asdict(arm)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images with mean about 0 and standard deviation about 1."""
        image = x[0]
        if self.training:
            image = _moved(image)
            if self.arm["pixels"]:
                image = image + self.arm["pixels"] * torch.randn_like(image)
        return ((image - _MEAN) / _SD).expand(x.shape)

    def get_extra_state(self) -> dict[str, Any]:
        """The arm."""
        return self.arm

    def set_extra_state(self, state: Any) -> None:
        """Refuse the state of another arm."""
        if state != self.arm:
            raise NsnnError(f"state of the arm {state}: expected {self.arm}")


class FirstLayer(deep.EachStep):
    """The first layer: all steps have the same images, so that they share one convolution.

    Images become channels-last in memory, in which convolution and batch norm are fastest. The layers above keep that.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The drive of all steps."""
        convolution, *others = self
        once = convolution(x[0].contiguous(memory_format=torch.channels_last))
        if not others:
            return once.expand(len(x), *once.shape)
        every = torch.cat([once] * len(x))
        # all steps, as the running variance of batch norm depends on the number of values
        for module in others:
            every = module(every)
        return every.unflatten(0, x.shape[:2])


class HalfConv2d(nn.Conv2d):
    """A convolution in bfloat16, with weights, input and output in float32."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The drive."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return super().forward(x).float()


class CountedTwice(deep.NoisySpike):
    """The neuron of the published code: noise is added to its drive, and its spike is drawn from the same noise once more."""

    def forward(
        self, drive: torch.Tensor, *, spikes: Any = None, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """The spikes of all steps."""
        if self.noisy:
            # in a tensor of its own: `randn_like` takes five times as long where images are channels-last
            noise = torch.empty_like(drive).copy_(torch.randn(drive.shape, dtype=drive.dtype))
            drive = drive + self.family.si("sigma") * noise
        return super().forward(drive, spikes=spikes, generator=generator)


def untrained(arm: Arm, config: Config, seed: int) -> deep.Classifier:
    """A network with initial weights drawn from the seed, the same in all arms."""
    cell = CountedTwice if arm.twice else deep.NoisySpike
    conv = HalfConv2d if config.half else nn.Conv2d
    a, b = config.channels

    def spiking() -> nn.Module:
        return cell(nsnn.Gaussian(arm.sigma or arm.width), noisy=arm.sigma > 0, mean_field=arm.mean_field)

    def layer(
        before: int,
        after: int,
        kernel: int,
        stride: int,
        padding: int,
        kind: type[deep.EachStep] = deep.EachStep,
    ) -> nn.Module:
        linear = conv(before, after, kernel, stride, padding, bias=False)
        return kind(linear, nn.BatchNorm2d(after))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        block = deep.Residual(nn.Sequential(layer(b, b, 3, 1, 1), spiking(), layer(b, b, 3, 1, 1), spiking()))
        module = nn.Sequential(
            _Images(arm),
            layer(3, a, 5, 2, 2, FirstLayer), spiking(),
            layer(a, b, 3, 2, 1), spiking(),
            block,
            deep.EachStep(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16 * b, 10)),
        )  # fmt: skip
    return deep.Classifier(module, encoder=coding.Direct(), n_steps=config.n_steps)


def one_cycle(total: int) -> Callable[[Any, float], torch.optim.Optimizer]:
    """AdamW whose learning rate rises to `eta` over the first fifth of `total` steps and then falls to 0 along a cosine.

    Source: Smith & Topin 2019, doi 10.1117/12.2520589; Loshchilov & Hutter 2019, arXiv:1711.05101
    """

    def made(parameters: Any, eta: float) -> torch.optim.Optimizer:
        optimizer = torch.optim.AdamW(parameters, lr=eta, weight_decay=1e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, eta, total_steps=total, pct_start=0.2)

        def before(*_: Any) -> None:  # at the start of an epoch `fit` sets the rate back to the first one
            optimizer.param_groups[0]["lr"] = schedule.get_last_lr()[0]

        optimizer.register_step_pre_hook(before)
        optimizer.register_step_post_hook(lambda *_: schedule.step())
        return optimizer

    return made


class Trained(NamedTuple):
    """A network, its accuracy on the training images of the last epoch, and the seconds of its training."""

    module: deep.Classifier
    accuracy: float
    seconds: float


def _train_on_attacked(arm: Arm, rate: float, seed: int, data: Any, config: Config) -> Trained:
    """Train on images that PGD attacks in each batch, with one draw of the noise; else as the other arms.

    Source: Madry et al. 2018, arXiv:1706.06083
    """
    X, y = torch.as_tensor(data[0]), np.asarray(data[1])
    net, right, start = untrained(arm, config, seed), 0, time.perf_counter()
    total = config.epochs * -(-len(y) // config.batch)
    optimizer = one_cycle(total)(list(net.parameters()), rate)
    loss = losses.CrossEntropyStep(1.0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for epoch in range(config.epochs):
            for rows in torch.randperm(len(y)).split(config.batch):
                images, labels = _moved(X[rows]), y[rows.numpy()]
                attacked = deep.pgd(
                    net, (images, labels), strength=arm.adversarial / 255, steps=config.attack_steps, draws=1, loss=loss, seed=None,
                )  # fmt: skip
                net.train().module[0].eval()  # the images have been moved
                scores = net.module(attacked.expand(config.n_steps, *attacked.shape))
                target = torch.as_tensor(labels).repeat(config.n_steps)
                optimizer.zero_grad()
                functional.cross_entropy(scores.flatten(0, 1), target).backward()
                optimizer.step()
                if epoch == config.epochs - 1:
                    right += int((scores.detach().sum(0).argmax(1).numpy() == labels).sum())
    return Trained(net, right / len(y), time.perf_counter() - start)


def train(arm: str, rate: float, seed: int, data: Any, config: Config) -> Trained:
    """Train an arm at a learning rate, on the cross-entropy of each step, and keep the weights after the last epoch."""
    X, y = data
    if config.sabotage == "labels shuffled" and arm == N3:
        y = np.random.default_rng(config.seed).permutation(y)
    if TRAINED[arm].adversarial:
        return _train_on_attacked(TRAINED[arm], rate, seed, data, config)
    fit = deep.fit(
        untrained(TRAINED[arm], config, seed),
        (X, y),
        loss=losses.CrossEntropyStep(1.0),
        epochs=config.epochs,
        batch=config.batch,
        optimizer=one_cycle(config.epochs * -(-len(y) // config.batch)),
        eta=rate,
        validation=0,
        keep="last",
        seed=seed,
        progress=False,
    )
    return Trained(fit.module, float(fit.history.accuracy.iloc[-1]), float(fit.history.seconds.sum()))


def in_use(net: deep.Classifier, arm: Arm, config: Config) -> deep.Classifier:
    """A network with the weights of another and the neurons of an arm, for evaluation: batch norm is part of the convolutions."""
    made = untrained(arm, config, 0)
    # without the neurons and the arm
    tensors = {name: value for name, value in net.state_dict().items() if isinstance(value, torch.Tensor)}
    made.load_state_dict(tensors, strict=False)
    for p in made.parameters():
        p.requires_grad_(False)
    return _joined(made.eval())


def _joined(net: deep.Classifier) -> deep.Classifier:
    """The same function in `eval` mode with fewer operations."""
    net = copy.deepcopy(net)
    for layer in net.modules():
        if isinstance(layer, deep.EachStep) and isinstance(layer[-1], nn.BatchNorm2d):
            conv, norm = layer
            assert isinstance(conv, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            layer[0] = torch.nn.utils.fuse_conv_bn_eval(conv, norm)
            del layer[1]
    for p in net.parameters():
        p.requires_grad_(False)
    return net
