"""Connection rules for images: convolutions and average pooling, whose synapses share weights.

Neuron (c height + y) width + x of a population stands for channel c, row y, column x of an image of shape (channels, height,
width): the order of a C array and of torch's `Flatten`.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any, ClassVar

import numpy as np

from ..core.checks import LARGEST, whole
from ..core.errors import NsnnError
from ..core.parameters import checked
from .connectivity import ConnectionRule
from .pair_sampling import Pairs


def _several(value: Any) -> tuple[Any, ...]:
    """The entries of a list, tuple or array; () for anything else."""
    listed = isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim > 0)
    return tuple(value) if listed else ()


def _pair(value: Any, name: str, least: int) -> tuple[int, int]:
    """(along y, along x) from one number for both, or from two numbers."""
    both = _several(value) or (value,) * 2
    if len(both) != 2:
        raise NsnnError(f"{name} = {value!r}: expected a whole number, or two, along y and x")
    y, x = (whole(n, least, name, LARGEST) for n in both)
    return y, x


class _Windows(ConnectionRule):
    """Base of the rules that move a window over an image."""

    shared: ClassVar[bool] = True

    image: Any
    stride: Any
    padding: Any = (0, 0)

    @property
    def _size(self) -> tuple[int, int]:
        raise NotImplementedError

    def _fits(self) -> None:
        """Turn the image into a tuple; raise NsnnError unless a window fits into it."""
        if self.image is None:
            return
        value = _several(self.image)
        if len(value) != 3:
            raise NsnnError(f"image = {self.image!r}: expected (channels, height, width), or None")
        object.__setattr__(self, "image", tuple(whole(n, 1, "image", LARGEST) for n in value))
        if min(self.post_image) < 1:
            raise NsnnError(
                f"image = {self.image}: smaller, with its padding of {self.padding}, than the window of {self._size}: expected "
                "a smaller window or more padding"
            )

    @property
    def post_image(self) -> tuple[int, int, int]:
        """The image of the postsynaptic population: (channels, height, width)."""
        if self.image is None:
            raise NsnnError("image = None: expected (channels, height, width) of the presynaptic population")
        height, width = (
            (n + 2 * p - k) // s + 1
            for n, k, s, p in zip(self.image[1:], self._size, self.stride, self.padding, strict=True)
        )
        return getattr(self, "channels", self.image[0]), height, width

    def _neurons(self, c_in: Any, c_out: Any) -> tuple[Pairs, np.ndarray]:
        """Pre- and postsynaptic neuron of every pair of channels and every tap, and the order by pre, then post."""
        _, height, width = self.image
        _, high, wide = self.post_image
        (y, _, y0), (x, _, x0) = self._taps()
        pre = ((c_in * height + y0[:, None]) * width + x0).ravel()
        post = ((c_out * high + y[:, None]) * wide + x).ravel()
        order = np.lexsort((post, pre))
        return (pre[order].astype(np.int32), post[order].astype(np.int32)), order

    def _taps(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Along y and along x, the pixels that windows see: index in the output, in the window, in the input."""
        assert self.image is not None
        taps = []
        for axis in (0, 1):
            after, tap = np.indices((self.post_image[1 + axis], self._size[axis])).reshape(2, -1)
            before = after * self.stride[axis] - self.padding[axis] + tap
            inside = (before >= 0) & (before < self.image[1 + axis])
            taps.append((after[inside], tap[inside], before[inside]))
        return taps

    def check(self, pre: Any, post: Any) -> None:
        """Raise NsnnError unless the populations have as many neurons as the images."""
        after = self.post_image
        for end, population, image in (("pre", pre, self.image), ("post", post, after)):
            if population.n != np.prod(image):
                raise NsnnError(
                    f"{end} = {population.name!r} has {population.n} neurons: expected {np.prod(image)}, an image of "
                    f"(channels, height, width) = {image}"
                )

    def describe(self) -> dict[str, Any]:
        """The rule as plain data."""
        values = ((f.name, getattr(self, f.name)) for f in dataclasses.fields(self))
        return {
            "type": type(self).__name__,
            **{k: list(v) if isinstance(v, tuple) else v for k, v in values},
        }


@dataclasses.dataclass(frozen=True, eq=False)
class Convolution(_Windows):
    """A convolution of an image, as torch's `conv2d` (a cross-correlation), zeros around the border:

        drive[d, y, x] = sum over c, i, j of w[d, c, i, j] spikes[c, y stride - padding + i, x stride - padding + j]

    The weight of the projection, given or returned by `Network.get_weights`, is the kernel, an array of shape (c_out, c_in, kh,
    kw); a distribution draws each of its entries. Delays belong to synapses. Synapses share the weights, so a learning rule on them
    raises an error: train in torch (`deep`).

    Parameters
    ----------
    channels : whole number, c_out
    kernel : whole number, or (kh, kw)
    stride, padding : whole numbers, or pairs (along y, along x)
    image : (channels, height, width) of the presynaptic population; set by `convolutional`, required elsewhere

    >>> rule = Convolution(8, 3, padding=1, image=(1, 6, 4))
    >>> rule.post_image
    (8, 6, 4)
    >>> from nsnn_neuro.models.neurons import NSNNNeuron, Relay
    >>> from nsnn_neuro.models.network import Network, Population, Projection
    >>> pixels, cells = Population(24, Relay(), name="pixels"), Population(192, NSNNNeuron(), name="cells")
    >>> wires = Projection(pixels, cells, rule=rule, weight=np.ones((8, 1, 3, 3)))
    >>> net = Network([pixels, cells], [wires])
    >>> net.get_weights()[0].shape, net.connections(wires).weight.shape
    ((8, 1, 3, 3), (1280,))
    """

    channels: int = checked(partial(whole, least=1, most=LARGEST))
    kernel: Any = checked(partial(_pair, least=1))
    stride: Any = checked(partial(_pair, least=1), default=1, kw_only=True)
    padding: Any = checked(partial(_pair, least=0), default=0, kw_only=True)
    image: Any = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._fits()

    @property
    def _size(self) -> tuple[int, int]:
        return self.kernel

    def weight_shape(self, pre: Any, post: Any, n_synapses: int) -> tuple[int, ...]:
        """(c_out, c_in, kh, kw)."""
        return (self.channels, self.image[0], *self.kernel)

    def n_synapses(self, pre: Any, post: Any) -> int:
        """The number of pairs within the image; pixels of the padding have no synapse."""
        y, x = self._taps()
        return self.channels * self.image[0] * y[0].size * x[0].size

    def _pairs(self) -> list[np.ndarray]:
        """Output and input channels of the kernel, as arrays that broadcast with the taps."""
        return [a[..., None, None] for a in np.indices((self.channels, self.image[0]))]

    def connect(self, pre: Any, post: Any, rng: np.random.Generator) -> Pairs:
        """Pre- and postsynaptic indices; see `ConnectionRule.connect`."""
        d, c = self._pairs()
        return self._neurons(c, d)[0]

    def per_synapse(self, weight: float | np.ndarray) -> float | np.ndarray:
        """The kernel's entry of each synapse."""
        if not isinstance(weight, np.ndarray):
            return weight
        d, c = self._pairs()
        (_, i, _), (_, j, _) = self._taps()
        return weight[d, c, i[:, None], j].ravel()[self._neurons(c, d)[1]]


@dataclasses.dataclass(frozen=True, eq=False)
class AveragePooling(_Windows):
    """Average pooling of each channel, as torch's `avg_pool2d` without padding; a border that no window covers is left out.

    Each synapse has the weight of the projection divided by the number of neurons in a window. The target is a population of
    spiking neurons. (Pooling followed directly by a convolution equals a convolution with a larger kernel: see `deep.to_network`.)

    Parameters
    ----------
    size : whole number, or (along y, along x)
    stride : as `size`; None: equal to `size`
    image : (channels, height, width) of the presynaptic population; set by `convolutional`, required elsewhere

    >>> AveragePooling(2, image=(8, 7, 6)).post_image
    (8, 3, 3)
    >>> AveragePooling(2, image=(8, 7, 6)).per_synapse(1.0)
    0.25
    """

    size: Any = checked(partial(_pair, least=1))
    stride: Any = dataclasses.field(default=None, kw_only=True)
    image: Any = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        stride = self.size if self.stride is None else _pair(self.stride, "stride", 1)
        object.__setattr__(self, "stride", stride)
        self._fits()

    @property
    def _size(self) -> tuple[int, int]:
        return self.size

    def weight_shape(self, pre: Any, post: Any, n_synapses: int) -> tuple[int, ...]:
        """(): one number."""
        return ()

    def n_synapses(self, pre: Any, post: Any) -> int:
        """The size of a window times n_post."""
        return int(np.prod(self.size) * np.prod(self.post_image))

    def connect(self, pre: Any, post: Any, rng: np.random.Generator) -> Pairs:
        """Pre- and postsynaptic indices; see `ConnectionRule.connect`."""
        c = np.arange(self.image[0])[:, None, None]
        return self._neurons(c, c)[0]

    def per_synapse(self, weight: float | np.ndarray) -> float:
        """The weight divided by the number of neurons in a window."""
        return float(weight) / float(np.prod(self.size))
