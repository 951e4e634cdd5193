"""`worst_case`: a list of attacks on a classifier, the strongest for each image, and the accuracy on new noise."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..core.checks import non_negative, whole
from ..core.errors import NsnnError
from ..learning.losses import Loss, Margin, cross_entropy_mean
from .attacks import counted_pgd
from .classifier import Classifier, checked, draws_noise, evaluating, on_its_device, parts, spikes_of_passes
from .neuron import NoisySpike
from .objective import check_loss
from .rng import child, seeded

_ROUNDING = 1e-5  # of an image's change against the strength
_ITSELF = "itself"
_NAMED = {"cross_entropy": cross_entropy_mean, "margin": Margin()}
_COLUMNS = ["source", "width", "draws", "loss", "restart", "attacked", "accuracy", "zero_gradients"]


@dataclasses.dataclass(frozen=True, eq=False)
class WorstCase:
    """What `worst_case` returns.

    table : DataFrame, a row for each attack in the order in which they ran, the first without an attack ("none"): source, width,
        draws, loss and restart (NaN or "" if it has none); attacked, the number of images; accuracy under this attack alone, in
        which images that were settled before count as wrong; zero_gradients, the share of gradients, over images and steps, that
        were 0 at all pixels, where the attack was blind
    each : (attacks, n) bool, which images were classified correctly under each attack, by the passes that chose
    chosen : (n,) rows of the table: for each image the attack with the smallest margin
    images : tensor of X's shape, each image after its chosen attack
    margin : (n,) score of the label less the best other one on these images, mean over new passes
    right : (n,) bool, which of these images are classified correctly by the same new passes

    >>> from nsnn_neuro import Gaussian, coding
    >>> from nsnn_neuro.deep import NoisySpike
    >>> net = Classifier(torch.nn.Sequential(torch.nn.Linear(4, 2), NoisySpike(Gaussian(0.4))))
    >>> data, options = (torch.rand(9, 4), [0, 1, 0] * 3), {"widths": [0.2, 1.0], "draws": [1], "steps": 2, "restarts": 2}
    >>> worst = worst_case(net, data, strength=0.1, **options)
    >>> worst.accuracy == float(worst.right.mean()), worst.each.shape  # none, and 2 widths x 2 losses x 2 restarts
    (True, (9, 9))
    """

    table: pd.DataFrame
    each: np.ndarray
    chosen: np.ndarray
    images: torch.Tensor
    margin: np.ndarray
    right: np.ndarray

    @property
    def accuracy(self) -> float:
        """Share of the images that are classified correctly after the chosen attacks, on new noise."""
        return float(self.right.mean())

    def __repr__(self) -> str:
        n, accuracy = len(self.right), self.accuracy
        error = (accuracy * (1 - accuracy) / n) ** 0.5
        return f"WorstCase: accuracy {accuracy:.3f} +- {error:.3f} (binomial) of {n} images, {len(self.table) - 1} attacks"


def worst_case(
    net: Classifier,
    data: Any,
    *,
    strength: float,
    widths: Iterable[float | None] = (None,),
    draws: Iterable[int] = (1, 5, 20),
    losses: Iterable[str | Loss] = ("cross_entropy", "margin"),
    restarts: int = 5,
    sources: Mapping[str, Classifier] | None = None,
    candidates: Mapping[str, Any] | None = None,
    steps: int = 20,
    momentum: float = 0.75,
    passes: int = 10,
    judge_passes: int = 100,
    settled: float | None = None,
    seed: int = 0,
) -> WorstCase:
    """Attack a classifier by PGD with each source, width, number of draws, loss and restart, and judge the strongest on new noise.

    A single attack may fail for reasons that are no robustness: a narrow surrogate passes no gradient, one draw of the noise is not
    its mean, a start is unlucky, the cross-entropy saturates. For each image the attack with the smallest margin is chosen, by
    scores averaged over `passes` passes. Their noise favours margins that are too small. So the chosen images are judged by
    `judge_passes` new passes: an image is right if its expected vote is. The accuracy is an upper bound of that in the worst case.

    Networks are comparable under the same list only. So one without noise gets the attacks of all numbers of draws, too, each from
    new starts; its passes are all the same, and one of them is run.

    Parameters
    ----------
    net, data : as of `pgd`
    strength : number >= 0, the largest change of a pixel
    widths : of the surrogate's Gaussian density in the attack, numbers > 0; None: each neuron's own density
    draws : whole numbers, passes over which a gradient is averaged
    losses : that the attacks raise: "cross_entropy" (`losses.cross_entropy_mean`), "margin" (`losses.margin`), or losses
    restarts : whole number of random starts of each attack
    sources : name -> classifier on which images are computed, in this order, for transfer to `net`; None: {"itself": net}, {}: no
        source, with candidates. Such as {"itself": net, "noise off": twin(net), "other": other}
    candidates : name -> images of X's shape that differ from X by at most `strength`, computed before, such as the `images` at a
        smaller strength or of another network; they are tried first
    steps, momentum : as of `pgd`
    passes, judge_passes : for each image, to choose its attack and to judge it
    settled : an image whose vote is wrong by more than this number of standard errors, by the passes that choose, isn't attacked
        again (without noise: whose vote is wrong); such as 4, with which 30 passes settle more images than 10. None: every image by
        every attack
    seed : whole number

    Raises
    ------
    NsnnError : as `pgd`; no width, draws, loss or source; an unknown loss; a width for a source without spiking neurons; a
        candidate that is no image or differs by more than `strength`

    Source: Croce & Hein 2020, arXiv:2003.01690 (worst of several attacks); Athalye et al. 2018, arXiv:1802.00420 (masked gradients)

    >>> from nsnn_neuro import Gaussian, coding
    >>> from nsnn_neuro.deep import NoisySpike, twin
    >>> _ = torch.manual_seed(1)
    >>> net = Classifier(torch.nn.Sequential(torch.nn.Linear(4, 2), NoisySpike(Gaussian(0.4))), encoder=coding.Direct())
    >>> X, y, sources = torch.rand(20, 4), torch.zeros(20, dtype=int), {"itself": net, "noise off": twin(net)}
    >>> worst = worst_case(net, (X, y), strength=0.1, draws=[1], sources=sources, steps=2, restarts=1)
    >>> worst.table.source.tolist()
    ['none', 'itself', 'itself', 'noise off', 'noise off']
    """
    most = non_negative(strength, "strength")
    widths, draws = tuple(widths), tuple(whole(d, 1, "draws") for d in draws)
    named = [(loss, _loss(loss)) for loss in losses]
    candidates = candidates or {}
    sources = {_ITSELF: net} if sources is None else dict(sources)
    starts = range(whole(restarts, 1, "restarts"))
    for name, given in (
        ("widths", widths),
        ("draws", draws),
        ("losses", named),
        ("sources", {**sources, **candidates}),
    ):
        if not given:
            raise NsnnError(f"{name} = {given!r}: expected one or more")
    X, y = checked(net, data)
    for name, source in sources.items():
        checked(source, (X[:1], y[:1]), f"sources[{name!r}], data")
        spiking = any(isinstance(cell, NoisySpike) for cell in source.modules())
        if not spiking and any(width is not None for width in widths):
            raise NsnnError(f"widths = {widths}: sources[{name!r}] has no NoisySpike: expected [None]")
    random = draws_noise(net)
    numbers = {name: whole(k, 1, name) for name, k in (("passes", passes), ("judge_passes", judge_passes))}
    some, many = (k if random else 1 for k in numbers.values())
    whole(seed, 0, "seed")
    if settled is not None:
        non_negative(settled, "settled")
    n = len(y)
    rows: list[dict[str, Any]] = []
    each: list[np.ndarray] = []
    images, chosen, unsettled = X.clone(), np.zeros(n, int), np.arange(n)  # those that are attacked
    lowest, error, now_right = np.full(n, np.inf), np.zeros(n), np.ones(n, bool)

    def tried(moved: torch.Tensor, **row: Any) -> None:
        """Note the images of an attack where they are the worst; a wrong guess is worse than a right one of the same margin."""
        nonlocal unsettled
        each.append(np.zeros(n, bool))
        if len(unsettled):
            right, margin, its_error = _judged(net, y[unsettled], moved, some, child(seed, 0))
            each[-1][unsettled] = right
            worse = (margin < lowest[unsettled]) | (
                (margin == lowest[unsettled]) & now_right[unsettled] & ~right
            )
            at = unsettled[worse]
            images[at], chosen[at] = moved[worse], len(rows)
            lowest[at], error[at], now_right[at] = margin[worse], its_error[worse], right[worse]
        rows.append(dict.fromkeys(_COLUMNS, np.nan) | {"loss": "", "attacked": len(unsettled)} | row)
        if settled is not None:
            unsettled = np.flatnonzero(now_right | (lowest > -settled * error))

    tried(X, source="none")
    for name, given in candidates.items():
        tried(_near(name, given, X, most)[unsettled], source=name)
    attacks = itertools.product(sources.items(), draws, widths, named, starts)
    for (name, source), many_draws, width, (label, loss), start in attacks:
        moved, blind = X[:0], np.nan
        if len(unsettled):
            moved, blind = counted_pgd(
                source, (X[unsettled], y[unsettled]), strength=most, steps=steps, step=None, random_start=True, width=width,
                momentum=momentum, restarts=1, loss=loss, draws=many_draws if draws_noise(source) else 1,
                seed=child(seed, 2, len(rows)),
            )  # fmt: skip
        tried(
            moved.to(X), source=name, width=np.nan if width is None else float(width), draws=many_draws, loss=str(label),
            restart=start, zero_gradients=blind,
        )  # fmt: skip
    right, margin, _ = _judged(net, y, images, many, child(seed, 1))
    table = pd.DataFrame(rows).assign(accuracy=np.mean(each, 1))
    return WorstCase(table, np.array(each), chosen, images, margin, right)


def _loss(value: Any) -> Loss:
    if isinstance(value, str) and value not in _NAMED:
        raise NsnnError(
            f"losses has {value!r}: expected {', '.join(map(repr, _NAMED))} or losses such as losses.margin"
        )
    return check_loss(_NAMED[value] if isinstance(value, str) else value)


def _judged(
    net: Classifier, y: np.ndarray, X: torch.Tensor, passes: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which images are classified correctly, and their margins with standard errors, by scores averaged over passes."""
    right, margin, error = [], [], []
    with torch.no_grad(), evaluating(net), seeded(seed, net):
        for rows in parts(X, passes):
            o = spikes_of_passes(net, on_its_device(net, X[rows]), passes)
            every = net.scores(o).double().unflatten(0, (passes, -1)).cpu().numpy()
            scores, image = every.mean(0), np.arange(every.shape[1])
            right.append(scores.argmax(1) == y[rows])
            label_score = scores[image, y[rows]]
            scores[image, y[rows]] = -np.inf
            rival = scores.argmax(1)
            margin.append(label_score - scores[image, rival])
            spread = np.std(
                every[:, image, y[rows]] - every[:, image, rival], axis=0, ddof=min(1, passes - 1)
            )
            error.append(spread / passes**0.5)
    return np.concatenate(right), np.concatenate(margin), np.concatenate(error)


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
