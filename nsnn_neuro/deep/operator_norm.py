"""Spectral norms of the linear maps of layers: exact, or an upper bound; and layers whose norm is bounded while they learn.

A convolution with zeros outside the image is part of one on a torus that is large enough: its inputs are zero elsewhere and some of
its outputs are left out. So its norm is at most that of the convolution on the torus, which the Fourier transform makes block
diagonal (Sedghi, Gupta & Long 2019, arXiv:1805.10408). With strides (s_h, s_w) on a torus of (N_h, N_w) sites the block of
frequency w is the matrix

    [W(w + (m N_h / s_h, n N_w / s_w))] for m < s_h, n < s_w side by side, divided by sqrt(s_h s_w),

W(w) (channels out, channels in) the Fourier transform of the kernel, and the norm is the largest one of a block.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from ..core.checks import scalar, suggest_keywords, whole
from ..core.errors import NsnnError

_TINY = 1e-30


def linear_norm(weight: torch.Tensor) -> torch.Tensor:
    """The spectral norm of matrices (..., m, n), the largest over leading axes, with a derivative.

    >>> linear_norm(torch.tensor([[3.0, 0.0], [4.0, 0.0]])).item()
    5.0
    """
    m, n = weight.shape[-2:]
    adjoint = weight.mH
    gram = weight @ adjoint if m <= n else adjoint @ weight
    return torch.linalg.eigvalsh(gram)[..., -1].max().clamp(min=0).sqrt()


def convolution_norm(
    weight: torch.Tensor, size: tuple[int, int], stride: Any, padding: Any, dilation: Any, groups: int
) -> torch.Tensor:
    """Upper bound of the spectral norm of a 2d convolution of images of `size`, padded with zeros, with a derivative.

    weight : (channels out, channels in / groups, height, width); stride, padding, dilation : pairs

    >>> kernel = torch.ones(1, 1, 2, 2, dtype=torch.float64)
    >>> round(convolution_norm(kernel, (8, 8), (2, 2), (0, 0), (1, 1), 1).item(), 12)
    2.0
    """
    sites, places = [], []
    for k in (0, 1):
        extent = dilation[k] * (weight.shape[2 + k] - 1) + 1
        outputs = (size[k] + 2 * padding[k] - extent) // stride[k] + 1
        if outputs < 1:
            raise NsnnError(f"image = {size}: expected one that the kernel of {extent} fits into")
        # large enough that padding stays padding, and that each output has its own place
        n = -(-max(size[k] + padding[k], outputs * stride[k]) // stride[k]) * stride[k]
        sites.append(n)
        places.append(torch.arange(weight.shape[2 + k], device=weight.device) * dilation[k] % n)
    n_out, n_in = weight.shape[:2]
    flat = (places[0][:, None] * sites[1] + places[1]).reshape(-1)
    spread = weight.new_zeros(n_out, n_in, sites[0] * sites[1]).index_add(2, flat, weight.flatten(2))
    waves = torch.fft.fft2(spread.reshape(n_out, n_in, *sites))
    (a, b), (s, r) = sites, stride
    blocks = waves.reshape(groups, n_out // groups, n_in, s, a // s, r, b // r).permute(0, 4, 6, 1, 2, 3, 5)
    return linear_norm(blocks.flatten(4) / (s * r) ** 0.5)


def module_norm(layer: nn.Module, size: tuple[int, int] | None) -> torch.Tensor:
    """The norm of the linear map of an nn.Linear, or its bound for an nn.Conv2d with images of this size."""
    if isinstance(layer, nn.Linear):
        return linear_norm(layer.weight)
    assert isinstance(layer, nn.Conv2d)
    assert size is not None
    return convolution_norm(layer.weight, size, *_geometry(layer))


class _Bounded(nn.Module):
    """weight -> weight min(1, most / norm)."""

    def __init__(self, layer: nn.Linear | nn.Conv2d, most: float, size: tuple[int, int] | None) -> None:
        super().__init__()
        self.most, self.size = most, size
        self.geometry = _geometry(layer) if isinstance(layer, nn.Conv2d) else None

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The weight that the layer uses."""
        if self.geometry is None:
            norm = linear_norm(weight)
        else:
            assert self.size is not None
            norm = convolution_norm(weight, self.size, *self.geometry)
        return weight * (self.most / norm.clamp(min=_TINY)).clamp(max=1.0)


@suggest_keywords
def bound_norm(layer: nn.Module, most: float, *, image: Any = None) -> Any:
    """Bound the spectral norm of a layer's linear map, in training too (spectral normalisation), and return the layer.

        weight used = weight learned * min(1, most / ||weight learned||_2)

    The norm of an nn.Linear is exact, that of an nn.Conv2d an upper bound for images padded with zeros, close for large images. It
    has a derivative. Unlike in torch's `spectral_norm` it is that of the convolution, not of its kernel as a matrix.

    Parameters
    ----------
    layer : nn.Linear, or nn.Conv2d with zeros as padding; it is changed: `layer.weight` is computed from a new parameter, which
        `torch.nn.utils.parametrize.remove_parametrizations(layer, "weight")` makes permanent
    most : number > 0, the largest norm
    image : (height, width) of the input of an nn.Conv2d

    Source: Miyato et al. 2018, arXiv:1802.05957; convolutions: Sedghi, Gupta & Long 2019, arXiv:1805.10408

    >>> layer = bound_norm(nn.Linear(20, 30), 0.5)
    >>> round(torch.linalg.matrix_norm(layer.weight, 2).item(), 5)
    0.5
    """
    most = scalar(most, "1", "most", above=0)
    size = None
    match layer:
        case nn.Linear():
            pass
        case nn.Conv2d():
            if not isinstance(image, tuple | list) or len(image) != 2:
                raise NsnnError(f"image = {image!r}: expected (height, width) of the input of the nn.Conv2d")
            size = (whole(image[0], 1, "image"), whole(image[1], 1, "image"))
            if isinstance(layer.padding, str) or layer.padding_mode != "zeros":
                raise NsnnError(
                    f"padding = {layer.padding!r}, {layer.padding_mode!r}: expected numbers, of zeros"
                )
        case _:
            raise NsnnError(f"layer is {type(layer).__name__}: expected nn.Linear or nn.Conv2d")
    if parametrize.is_parametrized(layer, "weight"):
        raise NsnnError("layer.weight is parametrised already: expected a layer without parametrisations")
    parametrize.register_parametrization(layer, "weight", _Bounded(layer, most, size))
    return layer


def _geometry(layer: nn.Conv2d) -> tuple[Any, Any, Any, int]:
    return layer.stride, layer.padding, layer.dilation, layer.groups
