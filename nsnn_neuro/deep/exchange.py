"""Networks to and from NIR, the Neuromorphic Intermediate Representation that several simulators and chips read.

A NIR graph has neurons in continuous time. `LIF` is tau dv/dt = v_leak - v + r I, and a spike sets v to v_reset. Its Euler step dt
is the noiseless `NoisySpike`:

    v <- (1 - dt / tau) v + (dt / tau) r I

with tau = dt / (1 - beta), r = 1 / (1 - beta), v_leak = v_reset = 0 and v_threshold = theta. With beta = 1 it is an `IF`,
dv/dt = r I with r = 1 / dt. NIR has neither noise nor a reset by subtraction. Both, and beta itself, are in the metadata of the
node, as a text in JSON under the key "nsnn_neuro". `Delays` of inputs are a `Delay` in seconds; their step and longest delay are in
the metadata of the graph, since nir reads none of a Delay. Needs nir.
"""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import quantities as pq
import torch
from torch import nn

from ..core.aliases import Time
from ..core.checks import instance, positive, suggest_keywords
from ..core.errors import NsnnError
from ..core.warn import warn
from ..models.convolution import AveragePooling
from ..models.escape import EscapeNoise, Family
from .delays import Delays
from .feedback_alignment import RandomFeedback
from .linear_maps import each_step, pair
from .neuron import NoisySpike
from .nir_files import read_file
from .nir_nodes import KEY, Reading, about_graph, chain, nir_package, shape_after, shape_of
from .residual import Times
from .transfer import opened

Shape = tuple[int, ...]
_STEP = 1 * pq.ms
_EXPECTED = (
    "expected nn.Linear, nn.Conv2d, nn.AvgPool2d, nn.Flatten, Times, Delays and NoisySpike in an nn.Sequential; fold a batch norm "
    "into the weights before it"
)


@suggest_keywords
def to_nir(module: Any, *, image: Any = None, dt: Time = _STEP) -> Any:
    """Convert a feed-forward net to a NIR graph, which `nir.write(path, graph)` writes to a file.

    Simulators that read it run the deterministic network: a warning says what only the metadata hold, the noise of `NoisySpike`
    layers and a reset by subtraction. A graph states tau, not its step, and a reader with another step runs another leak.

    Parameters
    ----------
    module : nn.Sequential, or a list of modules, of nn.Linear, nn.Conv2d, nn.AvgPool2d, nn.Flatten, `Times`, `NoisySpike` with
        what it has learned, and `Delays` of inputs (not of the synapses of an nn.Linear); Sequentials and `EachStep`s within are
        opened, nn.Identity left out
    image : (channels, height, width) of the input, where the first module is neither an nn.Linear nor `Delays` before one
    dt : time of a step of the program that reads the graph, always 0.1*ms for snnTorch. Default: 1 ms, with a warning

    Returns
    -------
    nir.NIRGraph : "input", a node for each module, named by its place and kind, "output"

    Raises
    ------
    NsnnError : `nir` isn't installed; other modules, such as `Residual`; kernels that aren't square and groups, whose
        shapes NIR gets wrong

    Source: Pedersen et al. 2024, doi 10.1038/s41467-024-52259-9

    >>> import pytest; nir = pytest.importorskip("nir")
    >>> import warnings
    >>> from nsnn_neuro import Gaussian
    >>> net = nn.Sequential(nn.Linear(4, 2), NoisySpike(Gaussian(0.4)))
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     graph = to_nir(net)
    >>> list(graph.nodes), graph.nodes["1_lif"].tau.tolist()
    (['input', '0_affine', '1_lif', 'output'], [0.002, 0.002])
    """
    nir = nir_package()
    step = positive(dt, "s", "dt")
    shape: Shape | None = None if image is None else AveragePooling(1, image=image).post_image
    first = shape
    nodes: dict[str, Any] = {}
    longest: dict[str, int] = {}
    between = 0
    lost = {"noise": 0, "a reset by subtraction": 0}
    for _, layer in opened(module):
        if isinstance(layer, nn.Identity):
            continue
        if isinstance(layer, RandomFeedback):
            layer = layer.layer
        if shape is None:
            if not isinstance(layer, nn.Linear | Delays) or getattr(layer, "axis", -1) != -1:
                raise NsnnError(
                    f"image = None: expected (channels, height, width) of the input, which {type(layer).__name__} takes"
                )
            first = shape = (layer.in_features if isinstance(layer, nn.Linear) else layer.delay.shape[-1],)
        node, shape = _node(nir, layer, shape, step)
        name = f"{len(nodes)}_{type(node).__name__.lower()}"
        nodes[name] = node
        if isinstance(layer, Delays):
            longest[name] = layer.max_steps
            between += bool((layer.steps % 1).any())
        elif isinstance(layer, NoisySpike):
            if layer.mean_field:
                raise NsnnError(
                    "mean_field = True of a NoisySpike: expected neurons that spike, mean_field=False"
                )
            lost["noise"] += layer.noisy
            lost["a reset by subtraction"] += layer.neuron.reset == "subtract"
    if not nodes:
        raise NsnnError(f"module has no layers: {_EXPECTED}")
    if any(lost.values()):
        what = " and ".join(f"{name} of {n} layer{'s' * (n > 1)}" for name, n in lost.items() if n)
        warn(f"NIR has no way to state {what}: only the metadata hold it, and other simulators run without")
    if between:
        warn("Delays between whole steps, which other simulators may round: `round_` them and train on")
    if dt is _STEP and any(type(node) in (nir.LIF, nir.Delay) for node in nodes.values()):
        warn("dt not given: took 1 ms; pass the step of the program that reads it, for snnTorch dt=0.1*ms")
    nodes = {
        "input": nir.Input({"input": np.array(first)}), **nodes, "output": nir.Output({"output": np.array(shape)})
    }  # fmt: skip
    names = list(nodes)
    about = {KEY: json.dumps({"dt": step, "max_steps": longest})} if longest else {}
    return nir.NIRGraph(nodes, [*itertools.pairwise(names)], metadata=about)


@suggest_keywords
def from_nir(
    source: Any,
    *,
    dt: Time | None = None,
    noise: Family | EscapeNoise | None = None,
    surrogate: Family | None = None,
    learn_beta: bool = False,
    learn_theta: bool = False,
    learn_noise: bool = False,
    dtype: torch.dtype | None = None,
    max_bytes: float | None = None,
) -> nn.Sequential:
    """Convert a NIR graph to a torch module from drive (T, batch, ...) to the last layer's output.

    The graph is a chain of Affine, Linear, Conv2d, AvgPool2d, SumPool2d, Flatten, Scale, Delay and LIF, IF or Threshold nodes. A
    graph of `to_nir` gives the network back, with identical outputs and the noise of its metadata. A gain of a neuron, r dt / tau,
    other than 1 becomes a `Times` before it; a Delay becomes `Delays`, `max_steps` its longest unless the metadata have another.

    Parameters
    ----------
    source : nir.NIRGraph, or the path of a file. A file is checked before it is read: it can name no code, link to no other file,
        and take no more memory than `max_bytes`
    dt : time of a step, a quantity; None: that of the metadata, which graphs of other programs lack
    noise : family of all neurons, such as Gaussian(0.4); None: that of the metadata
    surrogate : family whose density is the surrogate gradient of neurons without metadata, which are deterministic
    learn_beta, learn_theta, learn_noise : of the `NoisySpike`s, from the values of the graph on
    dtype : of the weights; None: that of the graph
    max_bytes : memory that reading the file may take; None: 512 MiB, or 32 times its size if that is more

    Raises
    ------
    NsnnError : `nir` isn't installed; no such file
    FormatError : a file that is damaged; branches, other nodes, v_leak or v_reset other than 0; values that aren't finite, shapes
        that don't fit; metadata that `to_nir` can't have written

    Source: Pedersen et al. 2024, doi 10.1038/s41467-024-52259-9

    >>> import pytest; nir = pytest.importorskip("nir")
    >>> from brian2 import ms
    >>> from nsnn_neuro import Gaussian
    >>> cells = nir.LIF(*(np.full(2, value) for value in (2e-3, 2.0, 0.0, 1.0)))
    >>> graph = nir.NIRGraph.from_list(nir.Linear(np.eye(2)), cells)
    >>> from_nir(graph, dt=1*ms, noise=Gaussian(0.4))[1]
    NoisySpike(Gaussian(sigma=0.4), beta=0.5, theta=1.0, reset='hard', reset_path='exact', noisy=True)
    """
    nir = nir_package()
    own = noise.family if isinstance(noise, EscapeNoise) else noise
    for name, family in (("noise", own), ("surrogate", surrogate)):
        instance(family, Family | None, name, "a family such as Gaussian(0.4), or None")
    graph = read_file(nir, Path(source), max_bytes) if isinstance(source, str | os.PathLike) else source
    if not isinstance(graph, nir.NIRGraph):
        raise NsnnError(f"source is {type(source).__name__}: expected a nir.NIRGraph, or the path of a file")
    (name, first), *inner, _ = chain(graph)
    learned = {"learn_beta": learn_beta, "learn_theta": learn_theta, "learn_noise": learn_noise}
    reading = Reading(
        None if dt is None else positive(dt, "s", "dt"), own, surrogate, learned, about_graph(graph)
    )
    given = first.input_type
    shape = shape_of(f"node {name!r}", given.get("input") if isinstance(given, dict) else None)
    made: list[nn.Module] = []
    linear: list[nn.Module] = []
    for name, node in inner:
        modules, shape = reading.module(name, node, shape)
        in_time = isinstance(modules[-1], NoisySpike | Delays) if modules else False
        linear += modules[:-1] if in_time else modules
        if in_time:
            made += [*([each_step(linear)] if linear else []), modules[-1]]
            linear = []
    if linear:
        made.append(each_step(linear))
    types = [p.dtype for part in made if not isinstance(part, Delays) for p in part.parameters()]
    for part in made:
        if isinstance(part, Delays):
            part.to(types[0] if types else torch.float32)
    module = nn.Sequential(*made)
    return module if dtype is None else module.to(dtype)


def _node(nir: Any, layer: nn.Module, shape: Shape, dt: float) -> tuple[Any, Shape]:
    """The node of a layer for input of this shape, and the shape of its output."""
    label = type(layer).__name__
    match layer:
        case NoisySpike():
            return _neurons(nir, layer, shape, dt), shape
        case Delays():
            if layer.layer is not None:
                raise NsnnError(
                    "module has Delays of an nn.Linear: expected Delays(n, max_steps) before it, NIR has no delay of each synapse"
                )
            steps = layer.steps.detach().double().cpu().numpy()
            return nir.Delay(dt * _each(steps, layer, shape)), shape
        case nn.Linear():
            if shape != (layer.in_features,):
                raise NsnnError(f"{label} takes {layer.in_features}: expected {shape}, as before it")
            weight = _array(layer.weight)
            node = nir.Linear(weight) if layer.bias is None else nir.Affine(weight, _array(layer.bias))
            return node, (layer.out_features,)
        case nn.Conv2d():
            if len(set(layer.kernel_size)) > 1 or layer.groups > 1 or layer.padding_mode != "zeros":
                raise NsnnError(
                    f"{layer}: expected a square kernel, groups=1 and zeros as padding, NIR gets the shapes of others wrong"
                )
            bias = np.zeros(layer.out_channels) if layer.bias is None else _array(layer.bias)
            options = (layer.stride, layer.padding, layer.dilation, layer.groups)
            node = nir.Conv2d(shape[1:], _array(layer.weight), *options, bias)
            return node, shape_after(str(layer), layer, shape, NsnnError)
        case nn.AvgPool2d():
            if layer.ceil_mode or layer.divisor_override or np.any(layer.padding):
                raise NsnnError(f"{layer}: expected padding=0, ceil_mode=False and no divisor")
            size, stride = (np.array(pair(v)) for v in (layer.kernel_size, layer.stride))
            if size[0] != size[1]:
                raise NsnnError(f"{layer}: expected a square window, NIR gets the shape of others wrong")
            return nir.AvgPool2d(size, stride, np.zeros(2, dtype=int)), shape_after(
                str(layer), layer, shape, NsnnError
            )
        case nn.Flatten():
            if layer.start_dim not in (1, 2, -3) or layer.end_dim != -1:
                raise NsnnError(f"{layer}: expected nn.Flatten(), of all of an image")
            return nir.Flatten({"input": np.array(shape)}, 0, -1), (int(np.prod(shape)),)
        case Times():
            return nir.Scale(np.broadcast_to(_array(layer.factor), shape).copy()), shape
    raise NsnnError(f"module has {label}: {_EXPECTED}")


def _each(value: Any, layer: NoisySpike | Delays, shape: Shape) -> np.ndarray:
    """Values of all, or along the layer's axis, for each of a step's inputs."""
    values = np.asarray(value, dtype=float)
    label, axis = type(layer).__name__, layer.axis - 1 if layer.axis > 0 else len(shape) + layer.axis
    if values.ndim and axis:
        raise NsnnError(f"axis = {layer.axis} of a {label} for images: expected 1, values of channels")
    if values.ndim and len(values) != shape[0]:
        raise NsnnError(f"{label} takes {len(values)}: expected {shape}, as before it")
    return np.broadcast_to(values.reshape(-1, *[1] * (len(shape) - 1)), shape).copy()


def _neurons(nir: Any, layer: NoisySpike, shape: Shape, dt: float) -> Any:
    beta, theta = (_each(layer.neuron.si(name), layer, shape) for name in ("beta", "theta"))
    for field in layer.family.parameter_fields():
        _each(layer.family.si(field.name), layer, shape)
    about = {
        "beta": np.asarray(layer.neuron.si("beta")).tolist(),
        "dt": dt,
        "reset": layer.neuron.reset,
        "reset_path": layer.reset_path,
        "noisy": layer.noisy,
        "family": layer.family.describe(),
    }
    metadata = {KEY: json.dumps(about)}
    zero = np.zeros(shape)
    if np.all(beta == 1):
        return nir.IF(np.full(shape, 1 / dt), theta, zero, metadata=metadata)
    if np.any(beta == 1):
        raise NsnnError("beta is 1 for some neurons of a layer: expected that for all, an IF, or for none")
    return nir.LIF(dt / (1 - beta), 1 / (1 - beta), zero, theta, zero.copy(), metadata=metadata)


def _array(values: torch.Tensor) -> np.ndarray:
    return values.detach().cpu().numpy().copy()
