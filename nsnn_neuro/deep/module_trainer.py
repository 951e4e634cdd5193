"""A torch module, its optimizer and its checkpoints: what the trainers of `fit` and `fit_spikes` share."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..core.checks import number
from ..core.errors import FormatError, NsnnError
from ..learning import checkpoint as checkpoints
from ..learning.loop import Diverged, Outcome, TrainingLoop
from ..models.plasticity.optimizers import SGD, Adam, Momentum, Optimizer

_MADE: dict[type, Callable[[Any, Any, float], torch.optim.Optimizer]] = {
    SGD: lambda rule, parameters, eta: torch.optim.SGD(parameters, lr=eta),
    Momentum: lambda rule, parameters, eta: torch.optim.SGD(parameters, lr=eta, momentum=rule.si("mu")),
    Adam: lambda rule, parameters, eta: torch.optim.Adam(
        parameters, lr=eta, betas=(rule.si("beta_1"), rule.si("beta_2")), eps=rule.si("epsilon")
    ),
}


class ModuleTrainer:
    """A copy of a module with its optimizer, as a part of the `Trainer` of a loop."""

    net: Any

    def __init__(
        self, loop: TrainingLoop, net: nn.Module, optimizer: Any, eta: float, name: str = "net"
    ) -> None:
        if not number(eta, "eta", "a number above 0") > 0:
            raise NsnnError(f"eta = {eta!r}: expected a number above 0")
        self.loop, self.net = loop, copy.deepcopy(net)
        self.parameters = {key: p for key, p in self.net.named_parameters() if p.requires_grad}
        if not self.parameters:
            raise NsnnError(
                f"{name} has no parameters that require a gradient: expected some, e.g. of nn.Linear"
            )
        self.optimizer = _optimizer(optimizer, list(self.parameters.values()), float(eta))
        self.rates = [group["lr"] for group in self.optimizer.param_groups]

    def described(self) -> dict[str, Any]:
        """What a checkpoint must be of, as far as it is of the module and its optimizer."""
        described: dict[str, Any] = {
            "module": str(self.net),
            "shapes": {name: [str(v.dtype), *v.shape] for name, v in _tensors(self.net).items()},
            "schedule": self.loop.schedule,
            "seed": self.loop.seed,
            "optimizer": str(self.optimizer),
        }
        if self.loop.patience is not None:
            described["patience"] = self.loop.patience
        return described

    def slow_down(self, factor: float) -> None:
        """Set the learning rates to a factor of the first ones."""
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor

    def trained(self, outcome: Outcome) -> Any:
        """A copy of the module with the weights of an outcome."""
        module = copy.deepcopy(self.net)
        for name, value in _tensors(module).items():
            value.copy_(torch.from_numpy(outcome.arrays[f"weights of {name}"]))
        module.zero_grad(set_to_none=True)
        return module

    def refuse_infinite(self, value: np.ndarray) -> None:
        """Refuse a loss that is not finite."""
        if not np.isfinite(value).all():
            raise Diverged("the loss isn't finite, expected a smaller eta")

    def check(self) -> dict[str, float]:
        """Refuse parameters that aren't finite."""
        for name, p in self.parameters.items():
            if not torch.isfinite(p).all():
                raise Diverged(f"{name} has values that aren't finite, expected a smaller eta")
        return {}

    def learned(self) -> dict[str, np.ndarray]:
        """Copies of all parameters and buffers."""
        tensors = _tensors(self.net).items()
        return {f"weights of {name}": value.detach().cpu().clone().numpy() for name, value in tensors}

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The optimizer's state: tensors as arrays, numbers as plain data."""
        arrays, plain = {}, {}
        for k, state in self.optimizer.state_dict()["state"].items():
            for name, value in state.items():
                if isinstance(value, torch.Tensor):
                    arrays[f"optimizer {k} {name}"] = value.cpu().numpy()
                else:
                    plain[f"optimizer {k} {name}"] = value
        return arrays, {"optimizer": plain}

    def restore(self, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> None:
        """Copy the checkpoint's arrays into the module and the optimizer."""
        path = self.loop.path
        assert path is not None
        tensors = _tensors(self.net)
        weights = {
            name: checkpoints.array(path, arrays, f"weights of {name}", tuple(value.shape))
            for name, value in tensors.items()
        }
        states = self._optimizer_states(path, arrays, about)
        groups = self.optimizer.state_dict()["param_groups"]
        try:
            self.optimizer.load_state_dict({"state": states, "param_groups": groups})
        except (ValueError, KeyError, TypeError, RuntimeError) as error:
            raise FormatError(
                f"checkpoint = {path}: its optimizer's state doesn't fit ({error}): another file, or delete it"
            ) from None
        for name, value in tensors.items():
            value.copy_(torch.from_numpy(weights[name]))

    def _optimizer_states(
        self, path: Path, arrays: dict[str, np.ndarray], about: dict[str, Any]
    ) -> dict[int, dict[str, Any]]:
        """The optimizer's state of each parameter: arrays of its shape or of none, and plain numbers."""
        shapes = [tuple(p.shape) for group in self.optimizer.param_groups for p in group["params"]]
        plain = about.get("optimizer", {})
        states: dict[int, dict[str, Any]] = {}
        for key, value in [*arrays.items(), *(plain.items() if isinstance(plain, dict) else ())]:
            if not key.startswith("optimizer "):
                continue
            _, k, name = [*key.split(" ", 2), "", ""][:3]
            if not k.isascii() or not k.isdigit() or int(k) >= len(shapes):
                raise FormatError(
                    f"checkpoint = {path}: {key[:60]!r} is of no parameter: another file, or delete it"
                )
            shape = shapes[int(k)] if np.shape(value) else ()
            array = checkpoints.array(path, {key: np.asarray(value)}, key, shape)
            states.setdefault(int(k), {})[name] = torch.from_numpy(array) if key in arrays else value
        return states


def _tensors(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """All parameters and buffers themselves."""
    return {n: v for n, v in module.state_dict().items() if isinstance(v, torch.Tensor)}


def _optimizer(given: Any, parameters: list[Any], eta: float) -> torch.optim.Optimizer:
    given = Adam() if given is None else given
    expected = (
        "expected SGD(), Momentum(), Adam(), or a function of (parameters, eta) such as torch.optim.AdamW"
    )
    if isinstance(given, Optimizer):
        if type(given) not in _MADE:
            raise NsnnError(f"optimizer = {given!r}: its text is for Brian2's synapses, {expected}")
        return _MADE[type(given)](given, parameters, eta)
    made = given(parameters, eta) if callable(given) else None
    if not isinstance(made, torch.optim.Optimizer):
        raise NsnnError(f"optimizer = {given!r}: {expected}")
    return made
