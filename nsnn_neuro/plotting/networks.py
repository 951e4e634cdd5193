"""Diagram of a network."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.aliases import Axes
from ..core.checks import suggest_keywords
from ..core.errors import NsnnError
from ..core.units import si, unit_of
from .axes import COLOURS, INK, SOFT, axes, keep_in_view, legend_above, scaled

_RADIUS, _GAP = 0.36, 0.03  # of the largest population; between a population and its arrows
_SIGNS = {1: ("excitatory", COLOURS[0]), -1: ("inhibitory", COLOURS[1]), 0: ("both signs", SOFT)}


@suggest_keywords
def network_graph(network: Any, *, ax: Axes | None = None) -> Axes:
    """Populations of a network as circles and its projections as arrows, with weight and delay.

    Weights and delays are numbers, mean ± SD of arrays and distributions, or ranges; a delay of 0 is not written. Many
    projections need a large figure. Circles grow with log(1 + n). A feed-forward network is drawn from left to right, one
    with loops on a ring. A projection is excitatory if its mean weight is positive, or, for conductances, if the reversal
    potential is above the threshold.

    Parameters
    ----------
    network : a `Network`
    ax : axes to draw on; None makes a new figure

    Raises
    ------
    NsnnError : not a network

    >>> from matplotlib.figure import Figure
    >>> from nsnn_neuro import EscapeNoise, Gaussian, feedforward
    >>> ax = network_graph(feedforward([2, 3], noise=EscapeNoise(Gaussian(0.4))), ax=Figure().subplots())
    >>> [text.get_text() for text in ax.texts][:2]
    ['input\\nn = 2', 'layer1\\nn = 3']
    """
    if not all(hasattr(network, name) for name in ("populations", "projections", "projection_names")):
        raise NsnnError(f"network = {type(network).__name__} object: expected a Network")
    from matplotlib.patches import Circle, FancyArrowPatch
    from matplotlib.path import Path

    names = [p.name for p in network.populations]
    largest = np.log1p(max(p.n for p in network.populations))
    centres = _layout(network, names)
    radii = {p.name: _RADIUS * (0.75 + 0.25 * np.log1p(p.n) / largest) for p in network.populations}
    size = "small" if len(names) < 4 else "x-small"
    ax = axes(ax)
    for population in network.populations:
        x, y = centres[population.name]
        ax.add_patch(Circle((x, y), radii[population.name], fc="white", ec=INK, lw=1.4, zorder=2))
        text = f"{population.name}\nn = {population.n}"
        ax.text(x, y, text, ha="center", va="center", fontsize=size, zorder=3)
    drawn: dict[tuple[str, str], int] = {}
    signs, reached = [], []
    middle = np.mean(list(centres.values()), axis=0)
    for projection in network.projections:
        pre, post = projection.pre.name, projection.post.name
        sign = _sign(projection)
        signs.append(sign)
        again = drawn[pre, post] = drawn.get((pre, post), -1) + 1
        curve, (x, y), aligned = _arrow(centres, radii, pre, post, again, middle)
        reached.append((x, y))
        style = "-|>,head_width=0.3,head_length=0.5" if sign >= 0 else "|-|,widthA=0,widthB=0.4"
        codes = [Path.MOVETO, *[Path.CURVE4] * 3]
        colour = _SIGNS[sign][1]
        arrow = FancyArrowPatch(
            path=Path(curve, codes), arrowstyle=style, mutation_scale=10, color=colour, lw=1.4
        )
        arrow.set_fill(sign >= 0)
        ax.add_patch(arrow)
        box = {"fc": "white", "ec": "none", "pad": 0.6, "alpha": 0.85}
        delayed = hasattr(projection.given_delay, "sample") or np.any(projection.given_delay)
        text = "\n".join(_value(one) for one in (projection.weight, projection.delay)[: 1 + bool(delayed)])
        ax.text(x, y, text, **aligned, fontsize="x-small", color=colour, zorder=4, bbox=box)
    for sign in sorted(set(signs), reverse=True):
        ax.plot([], [], color=_SIGNS[sign][1], lw=2, label=_SIGNS[sign][0])
    if signs:
        legend_above(ax, len(set(signs)))
    ends = [centres[name] + side * radii[name] for name in names for side in (-1, 1)]
    corners = np.array([*ends, *reached])
    low, high = corners.min(axis=0) - 0.2, corners.max(axis=0) + 0.2
    keep_in_view(ax, x=(low[0], high[0]), y=(low[1], high[1]))
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax


def _layout(network: Any, names: list[str]) -> dict[str, np.ndarray]:
    """Centre of each population: columns by depth without loops between populations, else a ring."""
    links = [(p.pre.name, p.post.name) for p in network.projections if p.pre is not p.post]
    depth = dict.fromkeys(names, 0)
    for _ in names:
        for pre, post in links:
            depth[post] = max(depth[post], depth[pre] + 1)
    if links and all(depth[post] > depth[pre] for pre, post in links) and max(depth.values()) < len(names):
        columns = {d: [name for name in names if depth[name] == d] for d in depth.values()}
        return {
            name: np.array([1.6 * d, 1.2 * ((len(column) - 1) / 2 - k)])
            for d, column in columns.items()
            for k, name in enumerate(column)
        }
    if len(names) == 1:
        return {names[0]: np.zeros(2)}
    radius = 0.8 / np.sin(np.pi / len(names))
    wide = 1.0 if len(names) == 2 else 1.9  # figures are wide, and so are texts
    angles = np.pi - 2 * np.pi * np.arange(len(names)) / len(names)
    return {
        name: radius * np.array([wide * np.cos(a), np.sin(a)]) for name, a in zip(names, angles, strict=True)
    }


def _arrow(
    centres: dict[str, np.ndarray],
    radii: dict[str, float],
    pre: str,
    post: str,
    again: int,
    middle: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Bezier curve (4, 2), place and alignment of the text of an arrow; `again` counts earlier arrows of the same populations."""
    a, b = centres[pre], centres[post]
    if pre == post:  # a loop on the side that faces away from the others
        away = a - middle if np.linalg.norm(a - middle) > 1e-9 else np.array([0.0, 1.0])
        away = away / np.linalg.norm(away)
        side = np.array([-away[1], away[0]])
        reach, near = 0.55 + 0.35 * again, radii[pre] + _GAP
        start, stop = (a + near * (np.cos(0.5) * away + s * np.sin(0.5) * side) for s in (1, -1))
        out, into = (a + (near + reach) * away + s * 0.45 * side for s in (1, -1))
        sideways = abs(away[0]) > abs(away[1])
        aligned = {
            "ha": ("left" if away[0] > 0 else "right") if sideways else "center",
            "va": "center" if sideways else "bottom" if away[1] > 0 else "top",
        }
        return np.array([start, out, into, stop]), a + (near + 0.8 * reach) * away, aligned
    along = (b - a) / np.linalg.norm(b - a)
    across = np.array([along[1], -along[0]])
    turn = 0.4 + 0.35 * again
    out, into = (np.cos(turn) * along + sign * np.sin(turn) * across for sign in (1, -1))
    start, stop = a + (radii[pre] + _GAP) * out, b - (radii[post] + _GAP) * into
    third = np.linalg.norm(stop - start) / 3
    curve = np.array([start, start + third * out, stop - third * into, stop])
    t = 0.37  # not the middle, where arrows to and fro would share the place of their texts
    place = curve.T @ np.array([(1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3])
    return curve, place, {"ha": "center", "va": "center"}


def _sign(projection: Any) -> int:
    """1 for an excitatory projection, -1 for an inhibitory one, 0 where that can't be said."""
    synapse, neuron = projection.synapse, projection.post.neuron
    if synapse.conductance is not None:
        threshold = getattr(neuron, "v_thresh", getattr(neuron, "v_spike", None))
        if threshold is None:
            return 0
        reversal = np.mean(si(getattr(synapse, synapse.reversal), neuron.membrane_unit, "reversal"))
        return 1 if reversal > np.mean(si(threshold, neuron.membrane_unit, "threshold")) else -1
    weight = projection.weight
    if hasattr(weight, "sample"):
        weight = getattr(weight, "mean", None)
        if weight is None:
            return 0
    mean = float(np.mean(si(weight, projection.weight_unit, "weight")))
    return int(np.sign(mean))


def _value(value: Any) -> str:
    """A weight or delay as text: a number with its unit, mean ± SD of an array or a distribution, or a range."""
    spread: Any = None
    middle, between = value, "\N{EN DASH}"
    if hasattr(value, "sample"):
        pairs = [(one, other) for one, other in (("mean", "sd"), ("low", "high")) if hasattr(value, one)]
        if not pairs:
            return type(value).__name__
        middle, spread = (getattr(value, name) for name in pairs[0])
        between = " ± " if pairs[0][0] == "mean" else between
    unit = unit_of(middle)
    values, shown = scaled(np.atleast_1d(np.asarray(si(middle, unit, "value"))), unit)
    text = f"{values.mean():.3g}"
    if spread is not None:
        text += f"{between}{scaled(np.atleast_1d(si(spread, unit, 'value')), unit)[0][0]:.3g}"
    elif values.size > 1:
        text += f" ± {values.std():.3g}"
    text = text.replace("-", "\N{MINUS SIGN}")
    return text if shown == "1" else f"{text} {shown}"
