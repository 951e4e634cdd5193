"""Nodes of a NIR graph as torch modules; each node is checked, as graphs come from files of others."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from ..core.errors import FormatError, NsnnError, needs_package
from ..models.escape.families import FAMILIES, Family
from .delays import Delays
from .neuron import NoisySpike
from .residual import Times

Shape = tuple[int, ...]
KEY = "nsnn_neuro"
"""Key of our metadata in those of a node."""
_CLOSE = 1e-6  # relative, of numbers that passed through single precision
_MOST_TEXT = 10**6
_MOST_STEPS = 10**6
_KNOWN = "expected Affine, Linear, Conv2d, AvgPool2d, SumPool2d, Flatten, Scale, Delay, LIF, IF or Threshold"


def nir_package() -> Any:
    """The module nir."""
    with needs_package("nir", "a NIR graph"):
        import nir
    return nir


def chain(graph: Any) -> list[tuple[str, Any]]:
    """Names and nodes of a graph from its input to its output; FormatError unless they form a chain."""
    pairs = isinstance(graph.edges, list) and all(
        isinstance(e, tuple | list) and len(e) == 2 and all(isinstance(n, str) for n in e)
        for e in graph.edges
    )
    if not isinstance(graph.nodes, dict) or not pairs:
        raise FormatError("expected a dict of nodes, and a list of edges, pairs of their names")
    nodes, kinds = dict(graph.nodes), {name: type(node).__name__ for name, node in graph.nodes.items()}
    after: dict[str, str] = {}
    for pre, post in graph.edges:
        if pre not in nodes or post not in nodes:
            raise FormatError(f"an edge from {pre!r} to {post!r}: one of them is no node of the graph")
        if pre in after:
            raise FormatError(f"node {pre!r} leads to several nodes: expected a chain without branches")
        after[pre] = post
    if len(set(after.values())) < len(after):
        raise FormatError("a node receives from several nodes: expected a chain without branches")
    ends = {kind: [name for name, of in kinds.items() if of == kind] for kind in ("Input", "Output")}
    if any(len(names) != 1 for names in ends.values()):
        raise FormatError(f"{len(ends['Input'])} inputs, {len(ends['Output'])} outputs: expected one of each")
    order: list[tuple[str, Any]] = []
    name = ends["Input"][0]
    while name is not None and len(order) <= len(nodes):
        order.append((name, nodes[name]))
        name = after.get(name)
    if len(order) != len(nodes) or kinds[order[-1][0]] != "Output":
        raise FormatError("the nodes do not lead from the input to the output: expected a chain of layers")
    return order


class Reading(NamedTuple):
    """How nodes become modules. dt: time of a step in s, None: as in the metadata; noise, surrogate: families or None; learned:
    options of `NoisySpike`; graph: our metadata of the graph."""

    dt: float | None
    noise: Family | None
    surrogate: Family | None
    learned: dict[str, bool]
    graph: dict[str, Any]

    def module(self, name: str, node: Any, shape: Shape) -> tuple[list[nn.Module], Shape]:
        """The modules of a node for input of this shape, and the shape of their output."""
        kind = type(node).__name__
        label = f"node {name!r}, {kind}"
        match kind:
            case "Affine" | "Linear":
                return _linear(label, node, shape)
            case "Conv2d":
                return _convolution(label, node, shape)
            case "AvgPool2d" | "SumPool2d":
                return _pooling(label, node, shape, kind == "SumPool2d")
            case "Flatten":
                return _flatten(label, node, shape)
            case "Scale":
                return [Times(_numbers(label, "scale", node.scale, shape))], shape
            case "Delay":
                return [self.delays(name, label, node, shape)], shape
            case "LIF" | "IF" | "Threshold":
                return self.neurons(label, kind, node, shape), shape
        raise FormatError(f"{label}: {_KNOWN}")

    def delays(self, name: str, label: str, node: Any, shape: Shape) -> Delays:
        """Delays in steps, whole where they are so to rounding; in double precision."""
        dt = self.graph.get("dt") if self.dt is None else self.dt
        if dt is None:
            raise FormatError(f"dt = None: {label} has no metadata with it, expected a time such as 1*ms")
        steps = _numbers(label, "delay", node.delay, shape).astype(float) / dt
        if np.any(steps < 0) or np.any(steps > _MOST_STEPS):
            raise FormatError(
                f"{label}: delay from {steps.min():g} to {steps.max():g} steps, expected from 0 to {_MOST_STEPS}"
            )
        steps = np.where(
            np.abs(steps - np.round(steps)) < _CLOSE * np.maximum(steps, 1), np.round(steps), steps
        )
        most = max(1, math.ceil(steps.max()), self.graph.get("max_steps", {}).get(name, 1))
        values, axis = _along(label, "delay", steps, shape), 1 if len(shape) == 3 else -1
        delays = Delays(shape[0], most, initial=0, axis=axis).double()
        delays.delay.data += torch.as_tensor(values)
        return delays

    def neurons(self, label: str, kind: str, node: Any, shape: Shape) -> list[nn.Module]:
        """A `NoisySpike`, with a factor of its drive before it where r isn't that of `to_nir`."""
        about = _about(label, node)
        theta = _numbers(
            label, "v_threshold", node.threshold if kind == "Threshold" else node.v_threshold, shape
        )
        for field in ("v_leak", "v_reset"):
            if np.any(_numbers(label, field, getattr(node, field, np.zeros(shape)), shape)):
                raise FormatError(f"{label}: {field} isn't 0, which a NoisySpike has no place for")
        beta, gain = self._step(label, kind, node, shape, about)
        family, noisy = self._family(label, about)
        values = [np.asarray(family.si(field.name)) for field in family.parameter_fields()]
        if {value.size for value in values if value.ndim} - {shape[0]}:
            raise FormatError(f"{label}: {family!r:.60} for neurons of {shape}, expected one, or {shape[0]}")
        spike = NoisySpike(
            family,
            beta=_along(label, "tau", _exact(label, about, beta, shape), shape),
            theta=_along(label, "v_threshold", theta, shape),
            reset=about.get("reset", "hard"),
            reset_path=about.get("reset_path", "exact"),
            noisy=noisy,
            axis=1 if len(shape) == 3 else -1,
            **self.learned,
        )
        if np.allclose(gain, 1, rtol=_CLOSE, atol=0):
            return [spike]
        return [Times(gain.flat[0] if np.all(gain == gain.flat[0]) else gain), spike]

    def _step(
        self, label: str, kind: str, node: Any, shape: Shape, about: Mapping[str, Any]
    ) -> tuple[np.ndarray, np.ndarray]:
        """beta, and the factor of the drive, of an Euler step."""
        if kind == "Threshold":
            return np.zeros(shape), np.ones(shape)
        dt = about.get("dt") if self.dt is None else self.dt
        if dt is None:
            raise FormatError(f"dt = None: {label} has no metadata with it, expected a time such as 1*ms")
        r = _numbers(label, "r", node.r, shape)
        if kind == "IF":
            return np.ones(shape), r * dt
        tau = _numbers(label, "tau", node.tau, shape)
        if np.any(tau <= 0) or np.any(dt > tau * (1 + _CLOSE)):
            raise FormatError(f"{label}: tau from {tau.min():g} s, dt = {dt:g} s: expected tau of dt or more")
        return np.clip(1 - dt / tau, 0, 1), r * dt / tau

    def _family(self, label: str, about: Mapping[str, Any]) -> tuple[Family, bool]:
        if self.noise is not None:
            return self.noise, True
        if "family" in about:
            return _family(label, about["family"]), bool(about.get("noisy", True))
        if self.surrogate is None:
            raise FormatError(
                f"{label} has no metadata of noise: expected noise=Gaussian(0.4) or the like, or surrogate= for neurons without"
            )
        return self.surrogate, False


def _linear(label: str, node: Any, shape: Shape) -> tuple[list[nn.Module], Shape]:
    weight = _numbers(label, "weight", node.weight)
    if weight.ndim != 2 or shape != weight.shape[1:]:
        raise FormatError(f"{label}: weight has shape {weight.shape}, expected (outputs, {math.prod(shape)})")
    bias = None if type(node).__name__ == "Linear" else _numbers(label, "bias", node.bias, weight.shape[:1])
    n_out, n_in = weight.shape
    layer = nn.Linear(n_in, n_out, bias=bias is not None, device="meta")
    return [_filled(layer, weight, bias)], weight.shape[:1]


def _convolution(label: str, node: Any, shape: Shape) -> tuple[list[nn.Module], Shape]:
    weight = _numbers(label, "weight", node.weight)
    groups = _whole(label, "groups", node.groups, 1)[0]
    if weight.ndim != 4 or not weight.size or len(shape) != 3 or shape[0] != weight.shape[1] * groups:
        raise FormatError(f"{label}: weight has shape {weight.shape}, {groups} groups, for images of {shape}")
    if weight.shape[0] % groups:
        raise FormatError(f"{label}: {weight.shape[0]} channels in {groups} groups")
    padding = node.padding
    if not isinstance(padding, str):
        padding = _whole(label, "padding", padding, 0)
    elif padding not in ("same", "valid"):
        raise FormatError(f"{label}: padding = {padding[:20]!r}, expected numbers, 'same' or 'valid'")
    bias = _numbers(label, "bias", node.bias, weight.shape[:1])
    try:
        layer = nn.Conv2d(
            shape[0], weight.shape[0], weight.shape[2:], stride=_whole(label, "stride", node.stride, 1), padding=padding,
            dilation=_whole(label, "dilation", node.dilation, 1), groups=groups, device="meta",
        )  # fmt: skip
        after = shape_after(label, layer, shape)
    except ValueError as error:
        raise FormatError(f"{label}: {error}") from None
    return [_filled(layer, weight, bias)], after


def _pooling(label: str, node: Any, shape: Shape, total: bool) -> tuple[list[nn.Module], Shape]:
    if any(_whole(label, "padding", node.padding, 0)):
        raise FormatError(f"{label}: padding = {node.padding}, expected 0")
    size, stride = (_whole(label, field, getattr(node, field), 1) for field in ("kernel_size", "stride"))
    layer = nn.AvgPool2d(size, stride)
    if len(shape) != 3:
        raise FormatError(f"{label} receives {shape}: expected (channels, height, width)")
    return [layer, *([Times(float(math.prod(size)))] if total else [])], shape_after(label, layer, shape)


def _flatten(label: str, node: Any, shape: Shape) -> tuple[list[nn.Module], Shape]:
    start, end = (int(_numbers(label, field, getattr(node, field), ())) for field in ("start_dim", "end_dim"))
    if start != 0 or end not in (-1, len(shape) - 1):
        raise FormatError(f"{label}: from axis {start} to {end} of {shape}, expected all axes, 0 to -1")
    return ([nn.Flatten()] if len(shape) > 1 else []), (math.prod(shape),)


def shape_after(label: str, layer: nn.Module, shape: Shape, refusal: type[NsnnError] = FormatError) -> Shape:
    """The shape of a layer's output, without computing it."""
    bare = copy.deepcopy(layer).to("meta", torch.float32)
    try:
        return tuple(bare(torch.empty(1, *shape, device="meta")).shape[1:])
    except RuntimeError as error:
        raise refusal(f"{label} doesn't take images of {shape}: {str(error).splitlines()[0][:200]}") from None


def _filled(layer: Any, weight: np.ndarray, bias: np.ndarray | None) -> Any:
    """The layer, made without memory, with its values."""
    layer.weight = nn.Parameter(torch.from_numpy(weight))
    if bias is not None:
        layer.bias = nn.Parameter(torch.from_numpy(bias.astype(weight.dtype)))
    return layer


def shape_of(label: str, values: Any) -> Shape:
    """A shape of one axis or three."""
    sizes = _numbers(label, "shape", values)
    if sizes.ndim != 1 or sizes.size not in (1, 3) or np.any(sizes < 1) or np.any(sizes != np.floor(sizes)):
        raise FormatError(f"{label}: shape = {sizes.ravel()[:8].tolist()}, expected one size or three")
    return tuple(int(n) for n in sizes)


def _numbers(label: str, field: str, values: Any, shape: Shape | None = None) -> np.ndarray:
    """Finite numbers of this shape, a copy in native single or double precision."""
    try:
        array = np.asarray(values)
    except (TypeError, ValueError):  # rows of unequal length
        raise FormatError(f"{label}: {field} isn't an array of numbers") from None
    if array.dtype.kind not in "iufb" or not np.isfinite(array).all():
        raise FormatError(f"{label}: {field} isn't of finite numbers")
    if shape is not None and array.shape != shape:
        raise FormatError(f"{label}: {field} has shape {array.shape}, expected {shape}")
    return array.astype(np.float32 if array.dtype == np.float32 else np.float64)


def _whole(label: str, field: str, values: Any, least: int) -> tuple[int, int]:
    numbers = _numbers(label, field, values).ravel()
    pair = np.broadcast_to(numbers, 2) if numbers.size in (1, 2) else np.array([np.nan])
    if not all(least <= n <= 10**6 and n == math.floor(n) for n in pair):
        raise FormatError(f"{label}: {field} = {values!r:.60}, expected whole numbers of at least {least}")
    return int(pair[0]), int(pair[1])


def _along(label: str, field: str, values: np.ndarray, shape: Shape) -> Any:
    """One number if all are equal, else one for each neuron or channel."""
    if np.all(values == values.flat[0]):
        return float(values.flat[0])
    if len(shape) == 1:
        return values
    rows = values.reshape(shape[0], -1)
    if np.any(rows != rows[:, :1]):
        raise FormatError(f"{label}: {field} differs within a channel, expected one value for each channel")
    return rows[:, 0].copy()


def _about(label: str, node: Any) -> dict[str, Any]:
    """Our metadata of neurons, checked; empty without."""
    resets, paths = ("hard", "subtract"), ("exact", "detached")
    return _stored(
        label,
        node,
        lambda a: a["reset"] in resets and a["reset_path"] in paths and isinstance(a["noisy"], bool),
    )


def about_graph(graph: Any) -> dict[str, Any]:
    """Our metadata of a graph: dt and max_steps, the longest delays by the names of their nodes; empty without."""
    return _stored(
        "graph",
        graph,
        lambda a: all(type(n) is int and 1 <= n <= _MOST_STEPS for n in a["max_steps"].values()),
    )


def _stored(label: str, node: Any, is_sound: Callable[[Any], bool]) -> dict[str, Any]:
    try:
        text = (node.metadata or {}).get(KEY)
        if text is None:
            return {}
        about = json.loads(text) if len(text) <= _MOST_TEXT else {}
        dt = about["dt"]
        sound = isinstance(dt, float) and 0 < dt < math.inf and is_sound(about)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        sound = False
    if not sound:
        raise FormatError(f"{label}: its metadata {KEY!r} are damaged, expected those of `to_nir`, or none")
    return dict(about)


def _exact(label: str, about: Mapping[str, Any], beta: np.ndarray, shape: Shape) -> np.ndarray:
    """beta as in the metadata, where it is that of tau; so that nothing is rounded."""
    try:
        stored = np.asarray(about.get("beta"), dtype=float)
    except (TypeError, ValueError):
        return beta
    if stored.ndim == 1 and len(shape) == 3:
        stored = stored.reshape(-1, 1, 1)
    fits = np.ndim(stored) <= len(shape) and all(
        a in (1, b) for a, b in zip(stored.shape[::-1], shape[::-1], strict=False)
    )
    if not fits or not np.allclose(np.broadcast_to(stored, shape), beta, rtol=0, atol=_CLOSE):
        return beta  # another program has changed tau, or dt is another one
    return np.broadcast_to(stored, shape)


def _family(label: str, about: Any) -> Family:
    """A family of the package from its description."""
    try:
        kind = {kind.type_name(): kind for kind in FAMILIES}[about["type"]]
        values = {name: np.asarray(about[name]["value"], dtype=float) for name in about if name != "type"}
        if set(values) != {field.name for field in kind.parameter_fields()}:
            raise KeyError
        return kind(**{name: v if v.ndim else float(v) for name, v in values.items()})
    except (NsnnError, TypeError, ValueError, KeyError):
        raise FormatError(
            f"{label}: its metadata {KEY!r} name no noise family, expected those of `to_nir`, or none"
        ) from None
