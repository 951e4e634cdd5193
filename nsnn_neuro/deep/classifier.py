"""`Classifier`: an encoder, spiking layers and a decoder as one torch module from images to scores; and its accuracy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from ..core.checks import instance, whole
from ..core.errors import NsnnError
from ..learning.accuracy import accuracy_of
from ..learning.coding import Bernoulli, Count, Decoder, Encoder
from ..learning.data import label_cure
from ..learning.losses import Loss
from .encode import encode
from .neuron import NoisySpike, shown
from .objective import values
from .rng import seeded

_MOST = 2000  # images times draws that run at once
_PIXELS = 2**21  # and their values: hidden layers take several times the memory of the images


class Classifier(nn.Module):
    """Classifier of images (batch, ...) from 0 to 1: scores (batch, classes), averaged over noisy passes; the guess is the highest.

    Parameters
    ----------
    module : takes (n_steps, batch, ...) to output spikes (n_steps, batch, classes), e.g. an nn.Sequential that ends with a
        `NoisySpike`, or with an nn.Linear for the decoder `coding.Count()`
    encoder : of `coding`; None: `coding.Bernoulli()`. The derivative of its spikes with respect to the images is that of their
        probability (straight-through)
    n_steps : steps for which each image is shown
    decoder : of `coding`; None: `coding.Count()`, the only one with a gradient
    passes : for each image, each with new input spikes and noise; they run as one batch

    >>> from nsnn_neuro import Gaussian
    >>> from nsnn_neuro.deep import NoisySpike
    >>> net = Classifier(nn.Sequential(nn.Linear(4, 2), NoisySpike(Gaussian(0.4))), n_steps=5, passes=3)
    >>> net(torch.rand(7, 4)).shape, net.spikes(torch.rand(7, 4)).shape
    (torch.Size([7, 2]), torch.Size([5, 7, 2]))
    """

    decoder: Decoder
    encoder: Encoder
    module: Any
    n_steps: int
    passes: int

    def __init__(
        self,
        module: nn.Module,
        *,
        encoder: Encoder | None = None,
        n_steps: int = 20,
        decoder: Decoder | None = None,
        passes: int = 1,
    ) -> None:
        super().__init__()
        encoder, decoder = encoder or Bernoulli(), decoder or Count()
        if not isinstance(module, nn.Module):
            raise NsnnError(f"module is {type(module).__name__}: expected a torch.nn.Module")
        instance(encoder, Encoder, "encoder", "an encoder such as coding.Bernoulli()")
        instance(decoder, Decoder, "decoder", "a decoder such as coding.Count()")
        whole(n_steps, 1, "n_steps")
        whole(passes, 1, "passes")
        self.module, self.encoder, self.n_steps = module, encoder, int(n_steps)
        self.decoder, self.passes = decoder, int(passes)

    def encoded(self, x: torch.Tensor) -> torch.Tensor:
        """What the module receives in one pass, (n_steps, batch, ...)."""
        if not isinstance(x, torch.Tensor) or not x.is_floating_point() or x.ndim < 2 or not x.numel():
            raise NsnnError(f"x is {shown(x)}: expected a tensor of floats (batch, ...)")
        low, high = x.detach().aminmax()  # NaN if there is one
        if not (low >= 0 and high <= 1):
            raise NsnnError(f"x has values {_values(x)}: expected values from 0 to 1, e.g. x / x.max()")
        return encode(self.encoder, x, self.n_steps)

    def spikes(self, x: torch.Tensor) -> torch.Tensor:
        """Output spikes (n_steps, batch, classes) of one pass."""
        out = self.module(self.encoded(x))
        if not isinstance(out, torch.Tensor) or out.ndim != 3 or out.shape[:2] != (self.n_steps, len(x)):
            raise NsnnError(f"module gives {shown(out)}: expected ({self.n_steps}, {len(x)}, classes)")
        return out

    def scores(self, o: torch.Tensor) -> torch.Tensor:
        """The decoder's scores (batch, classes) of output spikes o (n_steps, batch, classes)."""
        if type(self.decoder) is Count:
            return o.sum(0)
        scores = self.decoder.scores(o.detach().transpose(0, 1).cpu().numpy())
        return torch.as_tensor(scores, dtype=o.dtype, device=o.device)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The scores of images x."""
        o = spikes_of_passes(self, x, self.passes) if isinstance(x, torch.Tensor) else self.spikes(x)
        return self.scores(o).unflatten(0, (self.passes, -1)).mean(0)

    def extra_repr(self) -> str:
        """What is shown in brackets."""
        return f"encoder={self.encoder!r}, n_steps={self.n_steps}, decoder={self.decoder!r}, passes={self.passes}"


def spikes_of_passes(net: Classifier, x: torch.Tensor, k: int) -> torch.Tensor:
    """Output spikes (n_steps, k batch, classes) of k passes, run as one batch."""
    return net.spikes(x.expand(k, *x.shape).flatten(0, 1))


def draws_noise(net: Classifier) -> bool:
    """Whether a neuron or the encoder draws random numbers, so that passes differ."""
    cells = [cell for cell in net.modules() if isinstance(cell, NoisySpike)]
    return any(cell.noisy for cell in cells) or "uniform" in net.encoder.o


def accuracy(
    net: Classifier, data: Any, *, passes: int | None = None, seed: int | None = 0
) -> dict[str, float]:
    """Accuracy of a classifier in `eval` mode, with scores averaged over noisy passes.

    A dict: `accuracy`, the share of right guesses; `se`, its standard error over images (NaN for one image, 0 where all are right);
    `low` and `high`, its 95 % interval over images (Wilson 1927, doi 10.1080/01621459.1927.10502953).

    Parameters
    ----------
    net : `Classifier`
    data : (X, y): images (n, ...) from 0 to 1, labels (n,), whole numbers
    passes : for each image; None: those of the classifier
    seed : of all random numbers; torch's generators are left as they were. None: continue them

    >>> from nsnn_neuro import Gaussian, coding
    >>> from nsnn_neuro.deep import NoisySpike
    >>> net = Classifier(nn.Sequential(nn.Linear(2, 2, bias=False), NoisySpike(Gaussian(0.1))), encoder=coding.Direct())
    >>> _ = nn.init.eye_(net.module[0].weight)
    >>> {k: round(v, 2) for k, v in accuracy(net, ([[0.9, 0.1], [0.1, 0.9]], [0, 1])).items()}
    {'accuracy': 1.0, 'se': 0.0, 'low': 0.34, 'high': 1.0}
    """
    result = evaluated(net, data, passes, seed)
    return {name: result[name] for name in ("accuracy", "se", "low", "high")}


def evaluated(
    net: Classifier, data: Any, passes: int | None, seed: int | None, loss: Loss | None = None
) -> dict[str, float]:
    """Accuracy, its standard error and interval over images, and mean loss (0 without one) of data that are checked first."""
    X, y = checked(net, data)
    k = whole(net.passes if passes is None else passes, 1, "passes")
    with seeded(seed, net):
        right, lost = measured(net, X, y, k, loss)
    return accuracy_of(right) | {"loss": lost}


def measured(
    net: Classifier, X: torch.Tensor, y: np.ndarray, passes: int, loss: Loss | None = None
) -> tuple[np.ndarray, float]:
    """Which guesses are right, (n,), and the mean loss over samples and passes, in `eval` mode."""
    right, lost = [], 0.0
    with torch.no_grad(), evaluating(net):
        for rows in parts(X, passes):
            x = on_its_device(net, X[rows])
            o = spikes_of_passes(net, x, passes)
            if loss is not None:
                lost += float(values(loss, o, np.tile(y[rows], passes)).double().sum()) / (passes * len(y))
            scores = net.scores(o).double().unflatten(0, (passes, -1)).mean(0)
            right.append(scores.argmax(-1).cpu().numpy() == y[rows])
    return np.concatenate(right), lost


def checked(net: Any, data: Any, name: str = "data") -> tuple[torch.Tensor, np.ndarray]:
    """X as a tensor of the classifier's type, and labels y, checked against the classifier's output for one image."""
    if not isinstance(net, Classifier):
        raise NsnnError(f"net is {type(net).__name__}: expected a Classifier(nn.Sequential(...))")
    images, y = pair_of_arrays(data, name, "(X, y)")
    if images.dtype.kind not in "iuf" or images.ndim < 2 or not images.size:
        raise NsnnError(f"X has shape {images.shape}, {images.dtype}: expected numbers of shape (n, ...)")
    X = torch.as_tensor(images)
    if not ((X >= 0) & (X <= 1)).all():
        raise NsnnError(
            f"X has values {_values(X)}: expected values from 0 to 1: divide images by X.max(), or scale columns"
        )
    if y.shape != (len(X),) or y.dtype.kind not in "iu":
        raise NsnnError(
            f"y has shape {y.shape}, {y.dtype}: expected labels, whole numbers of shape ({len(X)},)"
            + (label_cure(y, len(y)) if y.ndim and len(y) == len(X) else "")
        )
    X = X.to(dtype_of(net))
    with trying(net, X):
        classes = net.spikes(on_its_device(net, X[:1])).shape[-1]
    if y.min() < 0 or y.max() >= classes:
        raise NsnnError(
            f"y has labels from {y.min()} to {y.max()}: expected 0 to {classes - 1}, the module's output"
            + label_cure(y, classes)
        )
    return X, y.astype(np.int64)


def pair_of_arrays(data: Any, name: str, expected: str) -> tuple[np.ndarray, np.ndarray]:
    """A pair of arrays or tensors as NumPy arrays."""
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise NsnnError(f"{name} = {type(data).__name__}: expected a pair {expected}")
    first, second = (np.asarray(v.detach().cpu() if isinstance(v, torch.Tensor) else v) for v in data)
    return first, second


def dtype_of(module: Any) -> torch.dtype:
    """The type of a module's parameters."""
    first = next(module.parameters(), None) if isinstance(module, nn.Module) else None
    return torch.get_default_dtype() if first is None else first.dtype


@contextlib.contextmanager
def trying(module: nn.Module, X: torch.Tensor) -> Iterator[None]:
    """Run a module in `eval` mode for its shapes; NsnnError for inputs X (n, ...) that it doesn't take."""
    try:
        with torch.no_grad(), evaluating(module), seeded(0, module):
            yield
    except RuntimeError as error:  # torch's message names what doesn't fit
        raise NsnnError(
            f"X has shape {tuple(X.shape)}: the module doesn't take such inputs ({str(error).splitlines()[0]}), expected others"
        ) from None


def on_its_device(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """x on the device of the module's parameters."""
    first = next(net.parameters(), None)
    return x if first is None else x.to(first.device)


@contextlib.contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Put the module in `eval` mode; restore the mode of each of its modules afterwards."""
    modes = [(module, module.training) for module in net.modules()]
    try:
        net.eval()
        yield
    finally:
        for module, training in modes:
            module.training = training


def parts(X: torch.Tensor, draws: int) -> Iterator[slice]:
    """Slices of images X (n, ...) that fit into one batch, each image `draws` times."""
    n, most = len(X), min(_MOST, _PIXELS // X[0].numel())
    size = max(1, most // draws)
    return (slice(k, min(n, k + size)) for k in range(0, n, size))


def _values(x: torch.Tensor) -> str:
    if not torch.isfinite(x).all():
        return "that aren't finite"
    return f"from {float(x.min()):g} to {float(x.max()):g}"
