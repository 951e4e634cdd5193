"""`worst_case`: many attacks on a noisy classifier, and for each image the worst of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..core.checks import non_negative, whole
from ..core.errors import NsnnError
from ..learning.losses import Loss
from .attacks import counted_pgd
from .classifier import Classifier, checked, draws_noise, evaluating, on_its_device, parts, spikes_of_passes
from .rng import child, seeded

_ROUNDING = 1e-5  # of an image's change against the strength
_ITSELF = "itself"


@dataclasses.dataclass(frozen=True, eq=False)
class WorstCase:
    """What `worst_case` returns.

    table : DataFrame, a row for each attack in the order in which they ran, the first without an attack ("none"): source, width and
        draws (NaN if it has none); images, how many it attacked; accuracy, of all images under this attack alone (NaN if it
        attacked only some); worst, the accuracy under it and all before; zero_gradients, the share of gradients, over images and
        steps, that were 0 at all pixels, where the attack was blind
    right : (n,) bool, which images were classified correctly under every attack
    images : tensor of X's shape, of each image that with the smallest margin

    >>> from nsnn_neuro import Gaussian, coding
    >>> from nsnn_neuro.deep import NoisySpike
    >>> net = Classifier(torch.nn.Sequential(torch.nn.Linear(4, 2), NoisySpike(Gaussian(0.4))))
    >>> worst = worst_case(net, (torch.rand(9, 4), [0, 1, 0] * 3), strength=0.1, widths=[0.2, 1.0], draws=[1], steps=2)
    >>> worst.accuracy == float(worst.right.mean()) == worst.table.worst.tolist()[-1]
    True
    """

    table: pd.DataFrame
    right: np.ndarray
    images: torch.Tensor

    @property
    def accuracy(self) -> float:
        """Share of the images that were classified correctly under every attack."""
        return float(self.right.mean())


def worst_case(
    net: Classifier,
    data: Any,
    *,
    strength: float,
    widths: Iterable[float | None] = (None,),
    draws: Iterable[int] = (1, 5, 20),
    sources: Mapping[str, Classifier] | None = None,
    candidates: Mapping[str, Any] | None = None,
    steps: int = 20,
    momentum: float = 0.75,
    restarts: int = 1,
    passes: int | None = None,
    skip_broken: bool = False,
    loss: Loss | None = None,
    seed: int = 0,
) -> WorstCase:
    """Attack a classifier by PGD with each surrogate width and number of draws, and count an image once any attack breaks it.

    A single attack may fail for reasons that are no robustness: a narrow surrogate passes no gradient, one draw of the noise is not
    its mean. The worst over many is an upper bound of the accuracy under attack. Each attacked image is judged by scores averaged
    over `passes` passes, in which noise sometimes misjudges an image near the border; `accuracy(net, (result.images, y),
    seed=another)` judges the worst images with new noise.

    Parameters
    ----------
    net, data, loss : as of `pgd`
    strength : number >= 0, the largest change of a pixel
    widths : of the surrogate's Gaussian density in the attack, numbers > 0; None: each neuron's own density
    draws : whole numbers, passes over which a gradient is averaged; of these a source whose neurons and encoder draw nothing gets
        the first, since its passes are all the same
    sources : name -> classifier on which images are computed, in this order, for transfer to `net`; None: {"itself": net}. Such as
        {"itself": net, "noise off": twin(net), "other": other}
    candidates : name -> images of X's shape that differ from X by at most `strength`, computed before, such as the `images` at a
        smaller strength; they are tried first
    steps, momentum, restarts : as of `pgd`
    passes : for each image; None: those of the classifier
    skip_broken : attack only the images that have been classified correctly so far. The worst case costs less; the accuracies of
        single attacks are then unknown
    seed : whole number

    Raises
    ------
    NsnnError : as `pgd`; no width, draws or source; a candidate that is no image or differs by more than `strength`

    Source: Croce & Hein 2020, arXiv:2003.01690 (worst of several attacks); Athalye et al. 2018, arXiv:1802.00420 (masked gradients)

    >>> from nsnn_neuro import Gaussian, coding
    >>> from nsnn_neuro.deep import NoisySpike, twin
    >>> _ = torch.manual_seed(1)
    >>> net = Classifier(torch.nn.Sequential(torch.nn.Linear(4, 2), NoisySpike(Gaussian(0.4))), encoder=coding.Direct())
    >>> X, y, sources = torch.rand(20, 4), torch.zeros(20, dtype=int), {"itself": net, "noise off": twin(net)}
    >>> worst = worst_case(net, (X, y), strength=0.1, widths=[0.2, 0.7], draws=[1], sources=sources, steps=2)
    >>> worst.table.source.tolist(), bool((worst.accuracy <= worst.table.accuracy).all())
    (['none', 'itself', 'itself', 'noise off', 'noise off'], True)
    """
    most = non_negative(strength, "strength")
    widths, draws = tuple(widths), tuple(whole(d, 1, "draws") for d in draws)
    sources = {_ITSELF: net} if sources is None else dict(sources)
    for name, given in (("widths", widths), ("draws", draws), ("sources", sources)):
        if not given:
            raise NsnnError(f"{name} = {given!r}: expected one or more")
    X, y = checked(net, data)
    for name, source in sources.items():
        checked(source, (X[:1], y[:1]), f"sources[{name!r}], data")
    k = whole(net.passes if passes is None else passes, 1, "passes")
    state = _State(net, X, y, k, whole(seed, 0, "seed"))
    state.tried("none", np.nan, np.nan, X, np.arange(len(y)), np.nan)
    for name, images in (candidates or {}).items():
        rows = np.flatnonzero(state.right) if skip_broken else np.arange(len(y))
        state.tried(name, np.nan, np.nan, _near(name, images, X, most), rows, np.nan)
    options: dict[str, Any] = {
        "steps": steps, "step": None, "random_start": True, "momentum": momentum, "restarts": restarts, "loss": loss,
    }  # fmt: skip
    for name, source in sources.items():
        for n_draws in draws if draws_noise(source) else draws[:1]:
            for width in widths:
                rows = np.flatnonzero(state.right) if skip_broken else np.arange(len(y))
                moved, blind = X.clone(), np.nan
                if rows.size:
                    some = (X[rows], y[rows])
                    images, blind = counted_pgd(
                        source, some, strength=most, width=width, draws=n_draws, seed=child(seed, len(state.table)), **options
                    )  # fmt: skip
                    moved[rows] = images.to(X)
                state.tried(name, np.nan if width is None else width, n_draws, moved, rows, blind)
    return WorstCase(pd.DataFrame(state.table), state.right, state.images)


class _State:
    """The worst so far."""

    def __init__(self, net: Classifier, X: torch.Tensor, y: np.ndarray, passes: int, seed: int) -> None:
        self.net, self.y, self.passes, self.seed = net, y, passes, seed
        self.right, self.images = np.ones(len(y), bool), X.clone()
        self.lowest = np.full(len(y), np.inf)
        self.table: list[dict[str, Any]] = []

    def tried(
        self, source: str, width: float, draws: float, images: torch.Tensor, rows: np.ndarray, zero: float
    ) -> None:
        """Judge an attack's images of some rows, and note them where they are the worst."""
        right = self.right.copy()
        if rows.size:
            right[rows], margin = self._judged(images[rows], self.y[rows])
            worse = rows[margin < self.lowest[rows]]
            self.images[worse] = images[worse]
            self.lowest[rows] = np.minimum(margin, self.lowest[rows])
        complete = rows.size == self.y.size
        self.right &= right
        self.table.append(
            {
                "source": source, "width": width, "draws": draws, "images": rows.size,
                "accuracy": float(right.mean()) if complete else np.nan, "worst": float(self.right.mean()), "zero_gradients": zero,
            }
        )  # fmt: skip

    def _judged(self, X: torch.Tensor, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which images are classified correctly, and their margins, by scores averaged over passes."""
        right, margin = [], []
        seed = child(self.seed, len(self.table), 1)
        with torch.no_grad(), evaluating(self.net), seeded(seed, self.net):
            for rows in parts(X, self.passes):
                o = spikes_of_passes(self.net, on_its_device(self.net, X[rows]), self.passes)
                scores = self.net.scores(o).double().unflatten(0, (self.passes, -1)).mean(0).cpu().numpy()
                label = np.arange(len(scores)), y[rows]
                right.append(scores.argmax(1) == y[rows])
                own = scores[label]
                scores[label] = -np.inf
                margin.append(own - scores.max(1))
        return np.concatenate(right), np.concatenate(margin)


def _near(name: str, images: Any, X: torch.Tensor, most: float) -> torch.Tensor:
    """A candidate as a tensor like X."""
    result = torch.as_tensor(images.detach().cpu() if isinstance(images, torch.Tensor) else images).to(X)
    if result.shape != X.shape or not ((result >= 0) & (result <= 1)).all():
        raise NsnnError(
            f"candidates[{name!r}] has shape {tuple(result.shape)}: expected {tuple(X.shape)}, values from 0 to 1"
        )
    change = float((result - X).abs().max())
    if change > most + _ROUNDING:
        raise NsnnError(
            f"candidates[{name!r}] differs from X by up to {change:g}: expected at most {most:g}, the strength"
        )
    return result
