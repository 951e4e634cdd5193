"""A torch module, its optimizer and its checkpoints: what the trainers of `fit` and `fit_spikes` share."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core.checks import scalar, whole
from ..core.errors import FormatError, NsnnError
from ..learning import checkpoint as checkpoints
from ..learning.loop import NOISE, Diverged, Epoch, Outcome, Scores, TrainingLoop
from ..models.plasticity.optimizers import SGD, Adam, Momentum, Optimizer
from .rng import child, seeded

_VALIDATION = 3
"""first number of the path from the seed to the random numbers of validation"""

_MADE: dict[type, Callable[[Any, Any, float], torch.optim.Optimizer]] = {
    SGD: lambda rule, parameters, eta: torch.optim.SGD(parameters, lr=eta),
    Momentum: lambda rule, parameters, eta: torch.optim.SGD(parameters, lr=eta, momentum=rule.si("mu")),
    Adam: lambda rule, parameters, eta: torch.optim.Adam(
        parameters, lr=eta, betas=(rule.si("beta_1"), rule.si("beta_2")), eps=rule.si("epsilon")
    ),
}


class ModuleTrainer:
    """A copy of a module with its optimizer as the `Trainer` of a loop; subclasses learn from samples and judge them.

    checked : function of (net, data, name of the data) that gives X (n, ...) and the targets, or refuses them
    """

    net: Any
    learn: Any  # (rows) -> Scores: a step of the optimizer for these samples
    judged: Any  # (rows, seed) -> Scores

    def __init__(
        self, loop: TrainingLoop, net: Any, data: Any, checked: Any, optimizer: Any, eta: float, name: str
    ) -> None:
        self.checked = checked
        self.X, self.targets = checked(net, data)
        eta = scalar(eta, "1", "eta", above=0)
        self.loop, self.net = loop, copy.deepcopy(net)
        self.parameters = {key: p for key, p in self.net.named_parameters() if p.requires_grad}
        if not self.parameters:
            raise NsnnError(f"{name} has no parameters that require a gradient: expected some")
        self.optimizer = _optimizer(optimizer, list(self.parameters.values()), eta)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]

    def divide(self, validation: Any, batch: int) -> None:
        """Hold out samples: a share, or those of other data, which are appended."""
        self.batch, n = whole(batch, 1, "batch"), None
        if isinstance(validation, tuple | list):
            X, targets = self.checked(self.net, validation, "validation")
            if X.shape[1:] != self.X.shape[1:]:
                raise NsnnError(f"validation: X has shape {tuple(X.shape)}, data {tuple(self.X.shape)}")
            n = len(self.X)
            self.X, self.targets = torch.cat([self.X, X]), np.concatenate([self.targets, targets])
        self.loop.split(self.targets, validation, n)

    def run_epoch(self, epoch: Epoch) -> tuple[Scores, Scores | None]:
        """Batch by batch; the held-out samples get the same noise in each epoch."""
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * epoch.eta
        batches: list[Any] = []
        starts = range(0, epoch.samples.size, self.batch)
        for k, start in enumerate(starts):
            rows = epoch.samples[start : start + self.batch]
            with seeded(child(self.loop.seed, NOISE, epoch.number, k), self.net):
                batches.append(self.learn(rows))
            self.refuse_infinite(batches[-1].loss)
            self.check()
            if epoch.report is not None:
                epoch.report((k + 1) / len(starts))
        loss, right = zip(*batches, strict=True)
        scores = Scores(np.concatenate(loss), None if right[0] is None else np.concatenate(right))
        held_out = self.loop.held_out
        if not held_out.size:
            return scores, None
        judged = self.judged(held_out, child(self.loop.seed, _VALIDATION))
        self.refuse_infinite(judged.loss)
        return scores, judged

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
                raise FormatError(f"checkpoint = {path}: {key[:60]!r} is of no parameter: delete it")
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
