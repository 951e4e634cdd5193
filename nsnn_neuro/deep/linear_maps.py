"""Convert linear torch modules into the connection rule and weights of a projection, and back.

A step's spikes have a shape, (channels, height, width) or (n,). Consecutive modules without neurons between them form one linear
map, which becomes one projection where a connection rule can represent it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from ..core.errors import NsnnError
from ..models.connectivity import AllToAll, ConnectionRule, OneToOne
from ..models.convolution import AveragePooling, Convolution
from ..models.network import Connections
from ..models.populations import Projection
from .neuron import EachStep
from .residual import Times

Shape = tuple[int, ...]
LINEAR = (nn.Linear, nn.Conv2d, nn.AvgPool2d, nn.Flatten, nn.Unflatten, Times)


class Link(NamedTuple):
    """A projection to create, from spikes of shape `before` to drive of shape `after`; rule None: only the shape changes.

    bias : None, or one for each neuron, flat
    """

    rule: ConnectionRule | None
    weight: Any
    bias: np.ndarray | None
    before: Shape
    after: Shape


def read(modules: Sequence[tuple[str, nn.Module]], shape: Shape | None) -> Link:
    """Read named linear modules that follow spikes of this shape (None: flat, as many as the first one takes)."""
    joined = Link(None, None, None, shape or (), shape or ())
    last = ""
    for name, module in modules:
        label = f"{type(module).__name__} at {name!r}"
        link = _one(label, module, shape)
        joined = link if not last else _joined(joined, link, f"{last} and {label}")
        last, shape = label, joined.after
    return joined


def _one(label: str, module: nn.Module, shape: Shape | None) -> Link:
    match module:
        case nn.Linear():
            if shape is not None and shape != (module.in_features,):
                n = int(np.prod(shape))
                cure = " after nn.Flatten()" if len(shape) == 3 and n == module.in_features else ""
                raise NsnnError(f"{label} takes {module.in_features}: expected {n}{cure}, as before it")
            weight = _array(module.weight).T.copy()
            return Link(
                AllToAll(), weight, _array(module.bias), (module.in_features,), (module.out_features,)
            )
        case Times():
            factor = _array(module.factor)
            assert factor is not None
            if shape is None:
                shape = factor.shape
            if not shape or factor.shape not in ((), shape):
                raise NsnnError(f"{label} has a factor of shape {factor.shape}: expected one, or {shape}")
            weight = np.broadcast_to(factor, shape).ravel() if factor.ndim else float(factor)
            return Link(OneToOne(), weight, None, shape, shape)
        case nn.Flatten():
            image = _image(label, shape) if shape is None or len(shape) == 3 else shape
            if module.start_dim not in (1, 2, -3) or module.end_dim != -1:
                raise NsnnError(f"{label}: expected nn.Flatten(), of all of an image")
            return Link(None, None, None, image, (int(np.prod(image)),))
        case nn.Unflatten():
            after = tuple(int(n) for n in module.unflattened_size)
            flat = (int(np.prod(after)),)
            if len(after) != 3 or min(after) < 1 or shape not in (None, flat) or module.dim not in (1, 2, -1):
                raise NsnnError(
                    f"{label} makes {after} of {shape}: expected nn.Unflatten(1, (c, h, w)) of as many neurons"
                )
            return Link(None, None, None, flat, after)
        case nn.Conv2d():
            return _convolution(label, module, _image(label, shape))
        case nn.AvgPool2d():
            image = _image(label, shape)
            if module.ceil_mode or module.divisor_override or np.any(module.padding):
                raise NsnnError(f"{label}: expected padding=0, ceil_mode=False and no divisor")
            rule = AveragePooling(module.kernel_size, stride=module.stride, image=image)
            return Link(rule, 1.0, None, image, rule.post_image)
    raise AssertionError(module)


def _convolution(label: str, module: nn.Conv2d, image: Shape) -> Link:
    if isinstance(module.padding, str) or module.padding_mode != "zeros":
        raise NsnnError(f"{label}: expected padding as a number, of zeros")
    if module.groups != 1 or any(d != 1 for d in module.dilation):
        raise NsnnError(f"{label}: expected groups=1 and dilation=1")
    if module.in_channels != image[0]:
        raise NsnnError(f"{label} takes {module.in_channels} channels: expected {image[0]}, as before it")
    rule = Convolution(
        module.out_channels, module.kernel_size, stride=module.stride, padding=module.padding, image=image
    )
    _, high, wide = rule.post_image
    bias = None if module.bias is None else np.repeat(_array(module.bias), high * wide)
    return Link(rule, _array(module.weight), bias, image, rule.post_image)


def _image(label: str, shape: Shape | None) -> Shape:
    if shape is None:
        raise NsnnError(f"image = None: expected (channels, height, width) of the input, which {label} takes")
    if len(shape) != 3:
        raise NsnnError(f"{label} follows {shape[0]} neurons: expected nn.Unflatten(1, (c, h, w)) between")
    return shape


def _joined(first: Link, second: Link, names: str) -> Link:
    """One link for two consecutive ones; `names` of both for a message."""
    ends: dict[str, Any] = {"before": first.before, "after": second.after}
    if first.rule is None or second.rule is None:
        return (second if first.rule is None else first)._replace(**ends)
    if isinstance(second.rule, OneToOne) and isinstance(second.weight, float) and first.bias is None:
        return first._replace(weight=first.weight * second.weight)
    pool, rule = first.rule, second.rule
    if isinstance(pool, AveragePooling) and isinstance(rule, AllToAll):
        i, j = pool.connect(None, None, np.random.default_rng(0))
        weight = np.zeros((int(np.prod(first.before)), *second.after))
        np.add.at(weight, i, pool.per_synapse(first.weight) * second.weight[j])
        return second._replace(weight=weight, **ends)
    if isinstance(pool, AveragePooling) and isinstance(rule, Convolution):
        size = pool.size
        fits = all(p == 0 or n % s == 0 for p, n, s in zip(rule.padding, first.before[1:], size, strict=True))
        if pool.stride == size and fits:
            weight = np.repeat(np.repeat(second.weight, size[0], axis=2), size[1], axis=3)
            larger: dict[str, Any] = {
                field: tuple(a * b for a, b in zip(getattr(rule, field), size, strict=True))
                for field in ("kernel", "stride", "padding")
            }
            rule = dataclasses.replace(rule, image=first.before, **larger)
            return second._replace(rule=rule, weight=pool.per_synapse(first.weight) * weight, **ends)
    raise NsnnError(
        f"{names} follow each other without neurons, and no one rule is both: expected a NoisySpike between them (between "
        "AvgPool2d and Conv2d only where that has padding and the pooling leaves out a border, or its stride isn't its size)"
    )


def write(
    projection: Projection, weight: Any, synapses: Connections, shape: Shape, dtype: torch.dtype
) -> tuple[list[nn.Module], Shape]:
    """The modules of a projection from spikes of this shape, without its bias, and the shape of their output.

    weight : as from `Network.get_weights`; synapses : as from `Network.connections`
    """
    rule = projection.rule
    match rule:
        case Convolution():
            c_out, c_in, *_ = weight.shape
            conv = nn.Conv2d(
                c_in, c_out, rule.kernel, stride=rule.stride, padding=rule.padding, bias=False, dtype=dtype
            )
            return [*reshaped(shape, rule.image), _given(conv, weight)], rule.post_image
        case AveragePooling():
            made: list[nn.Module] = [nn.AvgPool2d(rule.size, rule.stride)]
            if weight != 1:
                made.append(Times(weight).to(dtype))
            return [*reshaped(shape, rule.image), *made], rule.post_image
    dense = np.zeros((projection.pre.n, projection.post.n))
    np.add.at(dense, (synapses.pre, synapses.post), synapses.weight)
    linear = nn.Linear(*dense.shape, bias=False, dtype=dtype)
    return [*reshaped(shape, (projection.pre.n,)), _given(linear, dense.T)], (projection.post.n,)


def around(
    projection: Projection, weight: Any, synapses: Connections, shape: Shape, to: Shape, dtype: torch.dtype
) -> nn.Module | None:
    """The module of a projection around layers, from spikes of one shape to drive of another; None: the identity."""
    made: list[nn.Module] = []
    after = shape
    if not isinstance(projection.rule, OneToOne):
        made, after = write(projection, weight, synapses, shape, dtype)
    elif np.any(weight != 1):
        one = np.all(weight == weight[0])
        made = [Times(weight[0] if one else np.reshape(weight, shape)).to(dtype)]
    made += reshaped(after, to)
    return each_step(made) if made else None


def each_step(modules: list[nn.Module]) -> nn.Module:
    """Modules as one, in an `EachStep` where they need it."""
    bare = len(modules) == 1 and isinstance(modules[0], nn.Linear | Times)
    return modules[0] if bare else EachStep(*modules)


def reshaped(shape: Shape, after: Shape) -> list[nn.Module]:
    """Modules that reshape a step's spikes."""
    if shape == after:
        return []
    flat: list[nn.Module] = [nn.Flatten()] if len(shape) == 3 else []
    return [*flat, nn.Unflatten(1, after)] if len(after) == 3 else flat


def pair(value: Any) -> tuple[int, int]:
    """Height and width, of one number for both."""
    return (value, value) if isinstance(value, int) else tuple(value)


def _array(values: torch.Tensor | None) -> Any:
    return None if values is None else values.detach().double().cpu().numpy().copy()


def _given(module: Any, weight: np.ndarray) -> nn.Module:
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight)))
    return module
