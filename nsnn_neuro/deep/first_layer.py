"""The first layer of a classifier as a noisy channel: its linear map and noise, or a named refusal."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from ..core.errors import NsnnError
from ..learning.coding import Direct
from ..models.escape import Gaussian
from .classifier import Classifier
from .each_image import treats_alone
from .encode import encode
from .feedback_alignment import RandomFeedback, transported
from .linear_maps import pair
from .neuron import EachStep, NoisySpike
from .operator_norm import convolution_norm, linear_norm, module_norm
from .residual import Times

_MOST = 4096  # pixels for which the matrix of the map is computed
_PART = 128  # of its columns at once
_SAFETY = 1 + 1e-9  # above the rounding of eigenvalues in double precision
_EXPECTED = (
    "expected linear modules and then a NoisySpike first in an nn.Sequential, as in "
    "nn.Sequential(nn.Linear(64, 128), NoisySpike(Gaussian(0.4)), ...)"
)
# modules that are affine in `eval` mode and treat each step and each image alone
_AFFINE = (
    *(nn.Linear, nn.Conv2d, nn.AvgPool2d, nn.Flatten, nn.Unflatten, nn.Identity, nn.Dropout, nn.Dropout2d),
    *(nn.BatchNorm1d, nn.BatchNorm2d, Times, RandomFeedback),
)


class FirstLayer(NamedTuple):
    """Linear modules and the noisy neurons after them. gain : of the encoder; n_steps : of an image."""

    linear: list[nn.Module]
    spike: NoisySpike
    encoder: Direct
    n_steps: int

    def equivalent_noise(self, image: tuple[int, ...]) -> tuple[float, bool]:
        """Standard deviation of the input noise that hides as much (see `certificate`), and whether the norm in it is exact.

        image : shape of one image
        """
        maps = nn.ModuleList(copy.deepcopy(self.linear)).double().eval()
        tensors = (values for values in maps.state_dict().values() if isinstance(values, torch.Tensor))
        place = next((values.device for values in tensors), torch.device("cpu"))
        zero = torch.zeros(1, *image, dtype=torch.float64, device=place)
        with transported(maps):
            if zero.numel() <= _MOST:
                norm = float(linear_norm(self._gram(maps, zero)).sqrt())
            else:
                with torch.no_grad():
                    weight = self._weight(_through(maps, encode(self.encoder, zero, 1))[0])
                    gain = float(np.abs(self.encoder.si("gain")).max())
                    norm = float(weight.max()) * gain * _product(maps, zero)
        return (1 / (norm * _SAFETY) if norm > 0 else math.inf), zero.numel() <= _MOST

    def _gram(self, maps: nn.ModuleList, zero: torch.Tensor) -> torch.Tensor:
        """A' A of the map A from an image to the drive over the noise, (pixels, pixels)."""
        columns = []
        basis = torch.eye(zero.numel(), dtype=zero.dtype, device=zero.device).reshape(-1, *zero.shape[1:])
        origin = _through(maps, encode(self.encoder, zero, 1)).detach()
        weight = self._weight(origin[0])
        for part in basis.split(_PART):
            x = part.requires_grad_()
            with torch.enable_grad():
                scaled = (_through(maps, encode(self.encoder, x, 1)) - origin) * weight
                (back,) = torch.autograd.grad(scaled, x, scaled.detach())
            columns.append(back.flatten(1))
        gram = torch.cat(columns)
        return (gram + gram.T) / 2

    def _weight(self, drive: torch.Tensor) -> torch.Tensor:
        """sqrt(sum_t s_t^2) / sigma of each neuron, s_t = sum_(k < t) beta^k, which broadcasts with a step's drive."""
        sigma, beta = (
            np.asarray(v, dtype=float) for v in (self.spike.family.si("sigma"), self.spike.neuron.si("beta"))
        )
        sums = np.cumsum(beta[..., None] ** np.arange(self.n_steps), axis=-1)
        weight = torch.as_tensor(np.sqrt((sums**2).sum(-1)) / sigma)
        if not weight.ndim:
            return weight
        shape = [1] * drive.ndim
        shape[self.spike.axis] = -1
        return weight.reshape(shape)


def first_layer(net: Classifier) -> FirstLayer:
    """The first layer of a classifier; NsnnError unless it is a linear map of the images to neurons with Gaussian noise."""
    if type(net.encoder) is not Direct:
        raise NsnnError(
            f"encoder = {net.encoder!r}: expected coding.Direct(), in which a small change of the image is a small change of the "
            "input; other encoders change few input spikes, but those entirely"
        )
    linear: list[nn.Module] = []
    for name, module in _opened(net.module):
        if isinstance(module, NoisySpike) and type(module).forward is NoisySpike.forward:
            _check_noise(name, module)
            return FirstLayer(linear, module, net.encoder, net.n_steps)
        for leaf in _leaves(module):
            kind = next((kind for kind in _AFFINE if isinstance(leaf, kind)), None)
            # a subclass may override forward; a parametrisation (`bound_norm`) makes a subclass that doesn't
            if kind is None or type(leaf).forward is not kind.forward:
                raise NsnnError(
                    f"module has {type(leaf).__name__} at {name!r} before the first NoisySpike: {_EXPECTED}"
                )
        if not treats_alone(module, 2):
            raise NsnnError(
                f"module has {type(module).__name__} at {name!r}, which may mix images: expected it in a deep.EachStep(...)"
            )
        linear.append(module)
    raise NsnnError(f"module has no NoisySpike: {_EXPECTED}")


def _opened(module: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Names and modules of nested nn.Sequentials, in order."""
    if type(module).forward is not nn.Sequential.forward:
        raise NsnnError(f"module is {type(module).__name__}: {_EXPECTED}")
    assert isinstance(module, nn.Sequential)
    for k, child in enumerate(module):  # also those that occur twice
        if type(child).forward is nn.Sequential.forward:
            yield from _opened(child, f"{path}{k}.")
        else:
            yield f"{path}{k}", child


def _leaves(module: nn.Module) -> Iterator[nn.Module]:
    """The modules in an `EachStep`, in order; else the module."""
    if isinstance(module, nn.Sequential) and type(module).forward in (
        EachStep.forward,
        nn.Sequential.forward,
    ):
        for child in module:
            yield from _leaves(child)
    else:
        yield module


def _check_noise(name: str, spike: NoisySpike) -> None:
    if not spike.noisy:
        raise NsnnError(
            f"the first layer, {name!r}, has noisy = False: expected noise there, or `smoothed_radius` for a deterministic network"
        )
    if type(spike.family) is not Gaussian:
        raise NsnnError(
            f"the first layer, {name!r}, has the noise {spike.family!r}: expected Gaussian(...), for which the bound holds"
        )


def _through(maps: nn.ModuleList, x: torch.Tensor) -> torch.Tensor:
    for module in maps:
        x = module(x)
    return x


def _product(maps: nn.ModuleList, zero: torch.Tensor) -> float:
    """The product of bounds of the norms of the modules."""
    norm, x = 1.0, zero[None]
    for module in maps:
        for leaf in _leaves(module):
            norm *= float(_bound(leaf, x))
            x = leaf(x.flatten(0, 1)).unsqueeze(0) if isinstance(module, EachStep) else leaf(x)
    return norm


def _bound(leaf: nn.Module, x: torch.Tensor) -> Any:
    """An upper bound of the norm of a module's map for input like x (T, batch, ...)."""
    size = x.shape[-2], x.shape[-1]
    match leaf:
        case RandomFeedback():
            return _bound(leaf.layer, x)
        case nn.Linear():
            return module_norm(leaf, None)
        case nn.Conv2d() if not isinstance(leaf.padding, str) and leaf.padding_mode == "zeros":
            return module_norm(leaf, size)
        case nn.AvgPool2d() if not leaf.ceil_mode and leaf.divisor_override is None:
            kernel, stride, padding = (pair(v) for v in (leaf.kernel_size, leaf.stride, leaf.padding))
            mean = x.new_full((1, 1, *kernel), 1 / (kernel[0] * kernel[1]))
            return convolution_norm(mean, size, stride, padding, (1, 1), 1)
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            assert leaf.running_var is not None
            scale = 1.0 if leaf.weight is None else leaf.weight
            return (scale / (leaf.running_var + leaf.eps).sqrt()).abs().max()
        case Times():
            return leaf.factor.abs().max()
        case nn.Conv2d() | nn.AvgPool2d():
            raise NsnnError(
                f"{leaf}: images of more than {_MOST} values need padding as numbers, of zeros, and plain pooling"
            )
    return 1.0
