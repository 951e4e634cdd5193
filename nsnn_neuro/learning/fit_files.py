"""Files of `Fit.save`: the trained network, its settings and its history in one npz file, read without pickles or code.

The arrays are weights, fixed feedback weights, columns of the history and signals of the Block. The models are plain data: a
type's name and its parameters. Only types of this package are read, so that a file can name no other code.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import neo
import numpy as np
import pandas as pd

from ..brian import engine
from ..core import units
from ..core.checks import one_of, whole
from ..core.errors import NsnnError
from ..core.file_limits import Budget
from ..core.parameters import Model
from ..core.results import npz_to_write, write_npz
from ..io import json_codec
from ..models import escape, neurons, plasticity
from ..models.connectivity import AllToAll, ConnectionRule
from ..models.escape.families import FAMILIES
from ..models.network import Network
from ..models.noise import Noise
from ..models.populations import Population, Projection
from . import coding, losses
from .layers import Layers

_FORMAT = 1  # a change that older versions can't read adds 1
_KINDS: tuple[type[Model], ...] = (
    *(neurons.Relay, neurons.NSNNNeuron, escape.EscapeNoise, AllToAll),
    *FAMILIES,
    *(plasticity.NDL, plasticity.SurrogateGradient, plasticity.EProp),
    *(plasticity.SGD, plasticity.Momentum, plasticity.Adam),
    *(coding.Bernoulli, coding.Direct, coding.Latency, coding.PopulationCode),
    *(losses.RateMSE, losses.CrossEntropyMean, losses.CrossEntropyStep),
    *(losses.Margin, losses.VanRossum, losses.NegativeLogLikelihood),
)
TYPES = {kind.type_name(): kind for kind in _KINDS}


def write(path: Any, fields: dict[str, Any]) -> Path:
    """Write the fields of a `Fit` to an .npz file atomically."""
    path = npz_to_write(path)
    net, settings, block, history = (fields[name] for name in ("network", "_settings", "block", "history"))
    signals = block.segments[0].analogsignals
    about = {
        "fit": _FORMAT,
        "seed": net.seed,
        "populations": [
            {
                "n": p.n,
                "name": p.name,
                "neuron": _plain(p.neuron, "neuron"),
                "noise": _plain(p.noise, "noise"),
                "positions": None if p.positions is None else np.asarray(p.positions).tolist(),
            }
            for p in net.populations
        ],
        "projections": [
            {
                "ends": [p.pre.name, p.post.name],
                "name": p.name,
                "rule": _plain(p.rule, "rule"),
                "plasticity": _plain(p.plasticity, "plasticity"),
            }
            for p in net.projections
        ],
        "encoder": _plain(settings["encoder"], "encoder"),
        "loss": _plain(settings["loss"], "loss"),
        "batch": settings["batch"],
        "n_steps": settings["n_steps"],
        "feedback": settings["feedback"] is not None,
        "engine": fields["_engine"],
        "best_epoch": int(fields["best_epoch"]),
        "history": list(history.columns),
        "signals": [
            [s.name, float(s.sampling_rate.rescale("Hz")), float(s.t_start.rescale("s"))] for s in signals
        ],
        "annotations": json_codec.encode(dict(block.annotations), "annotations"),
    }
    arrays = {f"weights_{k}": np.asarray(w, float) for k, w in enumerate(net.get_weights())}
    arrays |= {f"feedback_{k}": w for k, w in enumerate(settings["feedback"] or [])}
    arrays |= {f"history_{k}": history[name].to_numpy() for k, name in enumerate(history.columns)}
    arrays |= {f"signal_{k}": s.magnitude for k, s in enumerate(signals)}
    write_npz(path, arrays, about, "path")
    return path


def fields(
    arrays: dict[str, np.ndarray], about: dict[str, Any], budget: Budget, target: str | None
) -> dict[str, Any]:
    """The fields of the `Fit` in an opened file; any exception for another file."""
    if about.get("fit") != _FORMAT:
        if {"config", "epoch"} <= set(about):
            raise ValueError(
                "a checkpoint: call train with the same arguments and checkpoint=path, then fit.save"
            )
        version = about.get("fit")
        raise ValueError("no fit" if type(version) is not int else f"of format {version}, expected {_FORMAT}")
    network = _network(about, arrays)
    settings = _settings(about, arrays, network, budget)
    one_of(about["engine"], ("cython", "numpy"), "engine")
    history = {str(name): arrays[f"history_{k}"] for k, name in enumerate(about["history"])}
    if any(v.ndim != 1 or v.dtype.kind not in "if" for v in history.values()):
        raise ValueError("its history isn't columns of numbers")
    return {
        "history": pd.DataFrame(history),
        "network": network,
        "block": _block(about, arrays),
        "best_epoch": whole(about["best_epoch"], 0, "best_epoch"),
        "_settings": settings,
        "_engine": engine.choose(target or about["engine"]),
    }


def _plain(model: Model | None, name: str) -> Any:
    """A model as plain data: its type, and its values in SI."""
    if model is None:
        return None
    kind = model.type_name()
    if TYPES.get(kind) is not type(model):
        raise NsnnError(
            f"{name} = {units.shown(model)}: a class of your own can't be saved, since a file holds no code: keep the script, and "
            "train with checkpoint=, which returns the same fit without training again"
        )
    values: dict[str, Any] = {}
    for field in dataclasses.fields(model):
        value = getattr(model, field.name)
        if isinstance(value, Model):
            value = _plain(value, field.name)
        elif "units" in field.metadata and not isinstance(value, int | np.integer | None):
            value = np.asarray(model.si(field.name)).tolist()
        values[field.name] = value.item() if isinstance(value, np.generic) else value
    return {"type": kind, "values": values}


def _model(plain: Any, base: Any, name: str) -> Any:
    """The model of plain data; ValueError unless it is of a known type that is a `base`."""
    kind = TYPES.get(str(plain["type"]))
    if kind is None or not issubclass(kind, base):
        raise ValueError(f"{name} is of type {str(plain['type'])[:40]!r}")
    values = {}
    for key, value in plain["values"].items():
        value = _model(value, Model, key) if isinstance(value, dict) else value
        values[key] = np.array(value, dtype=float) if isinstance(value, list) else value
    return kind(**values)


def _floats(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    values = arrays[name]
    if values.dtype != np.float64:
        raise ValueError(f"{name} has numbers of type {values.dtype}")
    return values


def _network(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> Network:
    populations = []
    for p in about["populations"]:
        noise = None if p["noise"] is None else _model(p["noise"], Noise, "noise")
        neuron = _model(p["neuron"], neurons.Neuron, "neuron")
        populations.append(Population(p["n"], neuron, noise=noise, name=p["name"], positions=p["positions"]))
    named = {p.name: p for p in populations}
    projections = []
    for k, p in enumerate(about["projections"]):
        pre, post = (named[end] for end in p["ends"])
        projections.append(
            Projection(
                *(pre, post),
                rule=_model(p["rule"], ConnectionRule, "rule"),
                weight=_floats(arrays, f"weights_{k}"),
                plasticity=_model(p["plasticity"], plasticity.Plasticity, "plasticity"),
                name=p["name"],
            )
        )
    return Network(populations, projections, seed=whole(about["seed"], 0, "seed"))


def _settings(
    about: dict[str, Any], arrays: dict[str, np.ndarray], net: Network, budget: Budget
) -> dict[str, Any]:
    """What a learner of this network needs, checked."""
    settings: dict[str, Any] = {
        "encoder": _model(about["encoder"], coding.Encoder, "encoder"),
        "loss": _model(about["loss"], losses.Loss, "loss"),
        "batch": whole(about["batch"], 1, "batch"),
        "n_steps": whole(about["n_steps"], 1, "n_steps"),
    }
    shapes = Layers(net, settings["loss"]).feedback_shapes()
    n = sum(p.n for p in net.populations)
    budget.take(8 * settings["batch"] * settings["n_steps"] * n, "the states of a batch")
    if about["feedback"] is not bool(shapes):
        raise ValueError("fixed feedback weights don't fit the signal of the rules")
    settings["feedback"] = [_floats(arrays, f"feedback_{k}") for k in range(len(shapes))] or None
    for shape, weights in zip(shapes, settings["feedback"] or [], strict=True):
        if weights.shape != shape or not np.isfinite(weights).all():
            raise ValueError(f"feedback weights of shape {weights.shape} don't fit, or aren't finite")
    return settings


def _block(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> neo.Block:
    """The Block of the training, as `train` makes it."""
    block, segment = neo.Block(name="training"), neo.Segment(name="training")
    annotations = json_codec.decode(about["annotations"])
    if not isinstance(annotations, dict):
        raise ValueError("its annotations aren't a dict")
    block.annotate(**annotations)
    for k, (name, rate, t_start) in enumerate(about["signals"]):
        values = _floats(arrays, f"signal_{k}")
        if values.ndim != 2 or not 0 < rate < math.inf or not math.isfinite(t_start):
            raise ValueError(f"its signal {k} has shape {values.shape}, rate {rate} and start {t_start}")
        segment.analogsignals.append(signal(values, float(rate), str(name), float(t_start)))
    block.segments.append(segment)
    return block


def signal(values: np.ndarray, rate: float, name: str, t_start: float = 0.0) -> neo.AnalogSignal:
    """A signal of a training's Block; `rate` in Hz, `t_start` in s."""
    start, rate = units.pq_quantity(t_start, "s"), units.pq_quantity(rate, "Hz")
    return neo.AnalogSignal(values, units="dimensionless", sampling_rate=rate, t_start=start, name=name)
