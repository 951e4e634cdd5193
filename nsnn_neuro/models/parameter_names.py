"""Parameters by name: "noise.sigma" is the parameter sigma of `noise`, "noise.family.sigma" that of the family in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..core.parameters import Model


def field_names(model: Model) -> list[str]:
    """The names of the parameters of a model."""
    return [field.name for field in dataclasses.fields(model)]


def replaced(model: Any, part: str, values: Mapping[str, Any]) -> Any:
    """`model`, which is the part of this name, with those of the values that are its own.

    >>> from nsnn_neuro import WhiteNoise
    >>> replaced(WhiteNoise(0.5), "noise", {"noise.sigma": 0.7, "model.tau_m": 1.0}).sigma
    0.7
    """
    for name, value in values.items():
        head, _, path = name.partition(".")
        if head == part and isinstance(model, Model):
            model = _with(model, path.split("."), value)
    return model


def _with(model: Model, path: list[str], value: Any) -> Model:
    inner = value if len(path) == 1 else _with(getattr(model, path[0]), path[1:], value)
    return dataclasses.replace(model, **{path[0]: inner})
