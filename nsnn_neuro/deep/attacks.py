"""Adversarial attacks on noisy classifiers: bounded image perturbations, computed on averages over the network's noise.

Noise hides a net's gradient from an attack that uses one draw (Athalye et al. 2018, arXiv:1802.00420). So the white-box attacks
`fgsm`, `pgd` and `sphere` ascend the mean loss of `draws` noisy passes for each image, with new input spikes in each pass; images
and draws run in one batch. `square` needs scores only. All use the net's own weights, also where it learned by `RandomFeedback`, in
`eval` mode. For a transfer attack compute the images on another net:

    accuracy(net, (pgd(other, (X, y), strength=0.1), y))

The gradient passes spikes by a surrogate, the density of each neuron's noise. A narrow one is almost 0 far from threshold, and then
the attack finds nothing. `pgd(..., width=)` attacks with another density, and `worst_case` with several, and combines them.

Common arguments: net, a `Classifier`; data, (X, y): images (n, ...) from 0 to 1 and labels (n,), whole numbers; loss, of the output
spikes, None: `losses.cross_entropy_mean`; draws, a whole number; seed of all random numbers, which leaves torch's generators as
they were (None: continue them). They return the attacked images, a tensor of X's shape in the type of the net's weights. They raise
`NsnnError` for images outside 0 to 1, labels out of range, an encoder without a derivative, options that don't fit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ..core.checks import fraction, non_negative, one_of, scalar, whole
from ..core.errors import NsnnError
from ..learning.losses import Loss, cross_entropy_mean
from .classifier import Classifier, checked, evaluating, on_its_device, parts, spikes_of_passes
from .feedback_alignment import transported
from .neuron import surrogate
from .objective import check_loss, values
from .rng import seeded

_HALVINGS = 60  # of the interval in which a scale is searched
# the shares of the queries after which squares halve
_FEWER = np.array([10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000]) / 10_000
_TINY = 1e-30


def fgsm(
    net: Classifier,
    data: Any,
    *,
    strength: float,
    loss: Loss | None = None,
    draws: int = 20,
    seed: int | None = 0,
) -> torch.Tensor:
    """Fast gradient sign: x + strength sign(dL/dx), clipped to 0 and 1; common arguments and errors: see the module.

    strength : number >= 0, the largest change of a pixel

    Source: Goodfellow, Shlens & Szegedy 2015, arXiv:1412.6572; expectation over draws: Athalye et al. 2018, arXiv:1802.00420

    >>> from nsnn_neuro import Gaussian
    >>> from nsnn_neuro.deep import NoisySpike
    >>> net = Classifier(torch.nn.Sequential(torch.nn.Linear(4, 2), NoisySpike(Gaussian(0.4))))
    >>> X = torch.full((3, 4), 0.5)
    >>> (fgsm(net, (X, [0, 1, 1]), strength=0.1) - X).abs().max() <= 0.1 + 1e-6
    tensor(True)
    """
    one_step: dict[str, Any] = {"steps": 1, "step": strength, "random_start": False}
    return pgd(net, data, strength=strength, **one_step, loss=loss, draws=draws, seed=seed)


def pgd(
    net: Classifier,
    data: Any,
    *,
    strength: float,
    steps: int = 10,
    step: float | None = None,
    random_start: bool = True,
    width: float | None = None,
    momentum: float = 0.0,
    restarts: int = 1,
    loss: Loss | None = None,
    draws: int = 20,
    seed: int | None = 0,
) -> torch.Tensor:
    """Projected gradient ascent within `strength` of each pixel (L-infinity); common arguments and errors: see the module.

        m <- momentum m + g / mean |g|,      x <- clip(x + step sign(m)),      g = dL/dx

    strength : number >= 0, the largest change of a pixel
    steps : whole number
    step : change of a pixel in a step, number > 0; None: 2.5 strength / steps
    random_start : from a uniform place in the box, or from the image
    width : standard deviation, > 0, of the Gaussian density by which the gradient passes spikes; None: each neuron's own density
    momentum : share of the earlier direction that is kept, 0 to 1
    restarts : whole number of random starts; of each image the result with the smallest margin is returned (the label's score
        minus that of the best other class, averaged over `draws` passes)

    Source: Madry et al. 2018, arXiv:1706.06083; expectation over draws: Athalye et al. 2018, arXiv:1802.00420; momentum: Dong et
    al. 2018, arXiv:1710.06081

    >>> from nsnn_neuro import Gaussian
    >>> from nsnn_neuro.deep import NoisySpike
    >>> net = Classifier(torch.nn.Sequential(torch.nn.Linear(4, 2), NoisySpike(Gaussian(0.4))))
    >>> X = torch.full((3, 4), 0.5)
    >>> (pgd(net, (X, [0, 1, 1]), strength=0.1) - X).abs().max() <= 0.1 + 1e-6
    tensor(True)
    """
    return counted_pgd(
        net, data, strength=strength, steps=steps, step=step, random_start=random_start, width=width, momentum=momentum,
        restarts=restarts, loss=loss, draws=draws, seed=seed,
    )[0]  # fmt: skip


def counted_pgd(
    net: Classifier,
    data: Any,
    *,
    strength: float,
    steps: int,
    step: float | None,
    random_start: bool,
    width: float | None,
    momentum: float,
    restarts: int,
    loss: Loss | None,
    draws: int,
    seed: int | None,
) -> tuple[torch.Tensor, float]:
    """The images of `pgd`, and the share of gradients that were 0 at all pixels of an image, over images and steps."""
    most = non_negative(strength, "strength")
    whole(steps, 1, "steps")
    size = 2.5 * most / steps if step is None else non_negative(step, "step")
    kept = fraction(momentum, "momentum")
    whole(restarts, 1, "restarts")
    if restarts > 1 and not random_start:
        raise NsnnError(f"restarts = {restarts}: expected 1 with random_start=False, which has one start")

    def climbed(x: torch.Tensor, y: np.ndarray, slope: _Slope) -> torch.Tensor:
        low, high = (x - most).clamp(0, 1), (x + most).clamp(0, 1)
        now = torch.clamp(x + most * (2 * torch.rand_like(x) - 1), low, high) if random_start else x
        direction = torch.zeros_like(x)
        for _ in range(steps):
            g = slope(now, y)
            if kept:
                direction = kept * direction + g * x[0].numel() / _sum(g.abs()).clamp(min=_TINY)
                g = direction
            now = torch.clamp(now + size * g.sign(), low, high)
        return now

    def change(x: torch.Tensor, y: np.ndarray, slope: _Slope) -> torch.Tensor:
        best = climbed(x, y, slope)
        lowest = _margin(net, best, y, draws) if restarts > 1 else None
        for _ in range(restarts - 1):
            other = climbed(x, y, slope)
            margin = _margin(net, other, y, draws)
            assert lowest is not None
            best = torch.where((margin < lowest).reshape(-1, *[1] * (x.ndim - 1)), other, best)
            lowest = torch.minimum(margin, lowest)
        return best

    wide = None if width is None else scalar(width, "1", "width", above=0)
    with surrogate(net, wide) if isinstance(net, Classifier) else contextlib.nullcontext():
        counts: list[tuple[int, int]] = []
        images = _attacked(net, data, change, loss, draws, seed, counts)
    zero, all_of_them = (sum(column) for column in zip(*counts, strict=True))
    return images, zero / all_of_them


def sphere(
    net: Classifier,
    data: Any,
    *,
    radius: float,
    steps: int = 20,
    step: float = 0.3,
    optimizer: str = "ascent",
    loss: Loss | None = None,
    draws: int = 20,
    seed: int | None = 0,
) -> torch.Tensor:
    """Ascent on the sphere of changes of an L2 norm, from a random direction; common arguments and errors: see the module.

    Each step moves the change along the tangential part of the gradient, and rescales it to the norm `radius` after pixels are
    clipped to 0 and 1. Where no factor gives that norm, a very large one is used.

    radius : number >= 0, the L2 norm of an image's change
    steps : whole number
    step : length of a step, in radii, number > 0
    optimizer : "ascent", steps of that length; or "adam", direct optimisation of a vector v by Adam at the learning rate
        step / sqrt(pixels), for changes radius v / |v|. The scripts that Ma, Yan & Tang 2023 released attack images of CIFAR-10 by
        that: `optimizer="adam", steps=30, step=0.11, draws=1`, without clipping, on images scaled to z-scores

    Source: the constraint of Szegedy et al. 2014, arXiv:1312.6199, as an L2 sphere; expectation over draws: Athalye et al. 2018,
    arXiv:1802.00420; Adam: Kingma & Ba 2015, arXiv:1412.6980

    >>> from nsnn_neuro import Gaussian
    >>> from nsnn_neuro.deep import NoisySpike
    >>> net = Classifier(torch.nn.Sequential(torch.nn.Linear(4, 2), NoisySpike(Gaussian(0.4))))
    >>> X = torch.full((3, 4), 0.5)
    >>> [round(v, 4) for v in (sphere(net, (X, [0, 1, 1]), radius=0.3) - X).norm(dim=1).tolist()]
    [0.3, 0.3, 0.3]
    """
    length = non_negative(radius, "radius")
    whole(steps, 1, "steps")
    size = non_negative(step, "step")
    adam = one_of(optimizer, ("ascent", "adam"), "optimizer") == "adam"

    def change(x: torch.Tensor, y: np.ndarray, slope: _Slope) -> torch.Tensor:
        v = torch.randn_like(x)
        moved = _on_sphere(x, v, length)
        if adam:
            free = _unit(v).requires_grad_()
            optimiser = torch.optim.Adam([free], lr=size * x[0].numel() ** -0.5, maximize=True)
            for _ in range(steps):
                d, g = _unit(free.detach()), slope(moved, y)
                free.grad = (g - _sum(g * d) * d) / _norm(free.detach()) * length
                optimiser.step()
                moved = _on_sphere(x, free.detach(), length)
            return moved
        for _ in range(steps):
            d = _unit(moved - x)
            g = slope(moved, y)
            along = _unit(g - _sum(g * d) * d)
            moved = _on_sphere(x, d + size * along, length)
        return moved

    return _attacked(net, data, change, loss, draws, seed)


def square(
    net: Classifier,
    data: Any,
    *,
    strength: float,
    queries: int = 2000,
    area: float = 0.3,
    draws: int = 20,
    seed: int | None = 0,
) -> torch.Tensor:
    """Black-box search over random squares of +-strength, from scores only; common arguments: see the module.

    It starts with stripes. Each trial sets a square of pixels at a random place, with one sign for each channel, and is kept if the
    margin falls, the label's score minus that of the best other class. Images without three axes get random pixels, no squares.

    strength : number >= 0, the largest change of a pixel
    queries : whole number, the largest number of passes for each image; a trial takes `draws` of them
    area : share of the image in the first squares, number from 0 to 1; it halves nine times during the search

    Source: Andriushchenko et al. 2020, arXiv:1912.00049

    >>> from nsnn_neuro import Gaussian
    >>> from nsnn_neuro.deep import NoisySpike
    >>> net = Classifier(torch.nn.Sequential(torch.nn.Linear(4, 2), NoisySpike(Gaussian(0.4))))
    >>> X = torch.full((3, 4), 0.5)
    >>> (square(net, (X, [0, 1, 1]), strength=0.1, queries=100) - X).abs().max() <= 0.1 + 1e-6
    tensor(True)
    """
    most, share = non_negative(strength, "strength"), scalar(area, "1", "area", above=0, most=1)
    whole(queries, 1, "queries")
    whole(draws, 1, "draws")
    trials = queries // draws
    if not trials:
        raise NsnnError(f"queries = {queries}: expected {draws} or more, as many as draws")

    def change(x: torch.Tensor, y: np.ndarray, slope: _Slope) -> torch.Tensor:
        now = (x + most * _stripes(x)).clamp(0, 1)
        lowest = _margin(net, now, y, draws)
        for k in range(1, trials):
            now_share = share / 2 ** int(np.sum(k / trials >= _FEWER))
            where, sign = _patch(x, now_share)
            tried = torch.where(where, (x + most * sign).clamp(0, 1), now)
            margin = _margin(net, tried, y, draws)
            better = margin < lowest
            now = torch.where(better.reshape(-1, *[1] * (x.ndim - 1)), tried, now)
            lowest = torch.where(better, margin, lowest)
        return now

    return _attacked(net, data, change, None, draws, seed)


# ------------------------------------------------------------------------------------------------------------- the net

_Slope = Callable[[torch.Tensor, np.ndarray], torch.Tensor]
_Change = Callable[[torch.Tensor, np.ndarray, _Slope], torch.Tensor]


def _attacked(
    net: Classifier,
    data: Any,
    change: _Change,
    loss: Loss | None,
    draws: int,
    seed: int | None,
    counts: list[tuple[int, int]] | None = None,
) -> torch.Tensor:
    """The attacked images, computed in batches; appends to `counts` how many gradients were 0, of how many."""
    whole(draws, 1, "draws")
    chosen = check_loss(cross_entropy_mean if loss is None else loss)
    X, y = checked(net, data)

    def slope(x: torch.Tensor, labels: np.ndarray) -> torch.Tensor:
        """dL/dx, the mean over draws."""
        with torch.enable_grad():
            at = x.detach().requires_grad_()
            o = spikes_of_passes(net, at, draws)
            total = values(chosen, o, np.tile(labels, draws)).sum() / draws
            gradient = torch.autograd.grad(total, at, allow_unused=True)[0] if total.requires_grad else None
        if gradient is None:
            raise NsnnError(
                f"encoder = {net.encoder!r}: it has no derivative, expected one such as coding.Bernoulli(), or `square`"
            )
        if counts is not None:
            counts.append((int((gradient == 0).flatten(1).all(1).sum()), len(gradient)))
        return gradient

    with torch.no_grad(), evaluating(net), transported(net), seeded(seed, net):
        batches = parts(X, draws)
        return torch.cat([change(on_its_device(net, X[rows]), y[rows], slope) for rows in batches])


def _margin(net: Classifier, x: torch.Tensor, y: np.ndarray, draws: int) -> torch.Tensor:
    """The label's score less the best other one, the mean over draws, (n,)."""
    scores = net.scores(spikes_of_passes(net, x, draws)).unflatten(0, (draws, -1)).mean(0)
    label = torch.as_tensor(y, device=x.device)[:, None]
    own = scores.gather(1, label)[:, 0]
    return own - scores.scatter(1, label, -torch.inf).amax(1)


def _sum(v: torch.Tensor) -> torch.Tensor:
    """The sum over each image, with axes of length 1 for broadcasting."""
    return v.flatten(1).sum(1).reshape(-1, *[1] * (v.ndim - 1))


def _norm(v: torch.Tensor) -> torch.Tensor:
    return _sum(v**2).sqrt()


def _unit(v: torch.Tensor) -> torch.Tensor:
    return v / _norm(v).clamp(min=_TINY)


def _on_sphere(x: torch.Tensor, direction: torch.Tensor, radius: float) -> torch.Tensor:
    """x + s direction clipped to 0 and 1, with the s that puts it `radius` away from x, or a very large s."""
    d = _unit(direction)
    low = torch.zeros_like(_norm(d))
    high = torch.full_like(low, 1e3 * max(radius, 1e-3))
    for _ in range(_HALVINGS):
        s = (low + high) / 2
        within = _norm((x + s * d).clamp(0, 1) - x) <= radius
        low, high = torch.where(within, s, low), torch.where(within, high, s)
    return (x + low * d).clamp(0, 1)


def _signs(x: torch.Tensor, *shape: int) -> torch.Tensor:
    return 2.0 * torch.randint(0, 2, shape, device=x.device).to(x.dtype) - 1


def _stripes(x: torch.Tensor) -> torch.Tensor:
    """A sign for each column of each channel of images, else for each pixel."""
    n, *rest = x.shape
    return _signs(x, n, rest[0], 1, rest[2]) if len(rest) == 3 else _signs(x, n, *rest)


def _patch(x: torch.Tensor, share: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A mask of the pixels of each image that a trial changes, and their signs."""
    n, *rest = x.shape
    if len(rest) != 3:
        chosen = torch.rand(n, int(np.prod(rest)), device=x.device)
        m = max(1, round(share * chosen.shape[1]))
        where = chosen <= chosen.kthvalue(m, dim=1, keepdim=True).values
        return where.reshape(x.shape), _signs(x, *x.shape)
    inside = []
    side = max(1, round((share * rest[1] * rest[2]) ** 0.5))
    for size in rest[1:]:
        wide = min(side, size)
        start = torch.randint(0, size - wide + 1, (n, 1), device=x.device)
        at = torch.arange(size, device=x.device)
        inside.append((at >= start) & (at < start + wide))
    where = (inside[0][:, :, None] & inside[1][:, None, :])[:, None]
    return where.expand(x.shape), _signs(x, n, rest[0], 1, 1)
