"""Files of a torch module's state_dict, written atomically and read without running code."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..core.errors import FormatError, NsnnError
from ..core.file_limits import check_regular, check_stored
from ..core.results import written

_MOST = 4  # differences in a message
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def save(module: nn.Module, path: str | os.PathLike[str]) -> None:
    """Write the module's state_dict atomically.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(nn.Linear(4, 2), f"{folder}/net.pt")
    ...     load(nn.Linear(4, 2), f"{folder}/net.pt")
    Linear(in_features=4, out_features=2, bias=True)
    """
    if not isinstance(module, nn.Module):
        raise NsnnError(f"module is {type(module).__name__}: expected a torch.nn.Module")
    path = Path(path)
    content = io.BytesIO()  # torch's own writer raises other errors when the disk is full
    torch.save(module.state_dict(), content)
    with written(path, "path") as part, open(part, "wb") as file:
        file.write(content.getbuffer())


def load(module: nn.Module, path: str | os.PathLike[str]) -> nn.Module:
    """Load a state that `save` wrote into the module, and return the module. No code in the file is run (weights_only=True).

    Raises
    ------
    NsnnError : no such file; another architecture, or other neurons; values that aren't finite; then nothing has been changed
    FormatError : not a state_dict, or a file that is damaged

    >>> import tempfile
    >>> from nsnn_neuro import Gaussian
    >>> from nsnn_neuro.deep import NoisySpike
    >>> net = nn.Sequential(nn.Linear(4, 2), NoisySpike(Gaussian(0.4)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(net, f"{folder}/net.pt")
    ...     load(nn.Sequential(nn.Linear(4, 3), NoisySpike(Gaussian(0.4))), f"{folder}/net.pt")
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: path = ...net.pt: of another architecture (0.weight: (2, 4) there, (3, 4) here; 0.bias: ...
    """
    if not isinstance(module, nn.Module):
        raise NsnnError(f"module is {type(module).__name__}: expected a torch.nn.Module")
    path = Path(path)
    if not path.exists():
        raise NsnnError(f"path = {path}: no such file, expected one that `save` has written")
    own = module.state_dict()
    if lazy := [name for name, value in own.items() if torch.nn.parameter.is_lazy(value)]:
        raise NsnnError(f"module has {lazy[0]}, without a known shape: expected a module that has run once")
    state = _read(path)
    wrong = [
        f"{name}: {_difference(state.get(name), own.get(name))}"
        for name in [*own, *(n for n in state if n not in own)]
        if not _alike(state.get(name), own.get(name))
    ]
    if wrong:
        more = f"; and {len(wrong) - _MOST} more" if len(wrong) > _MOST else ""
        raise NsnnError(
            f"path = {path}: of another architecture ({'; '.join(wrong[:_MOST])}{more}), expected the same module or another file"
        )
    for name, value in state.items():
        if isinstance(value, torch.Tensor) and not torch.isfinite(value.to(own[name].dtype)).all():
            raise NsnnError(f"path = {path}: {name} has values that aren't finite, expected an earlier file")
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise FormatError(f"path = {path}: values don't fit ({str(error)[:200]}): expected others") from None
    return module


def _read(path: Path) -> dict[str, Any]:
    try:
        check_regular(path)
        with zipfile.ZipFile(path) as archive:
            check_stored(archive, path.stat().st_size)
            if (bad := archive.testzip()) is not None:  # torch's reader doesn't compare checksums
                raise FormatError(f"the checksum of {bad[:40]!r} is wrong")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # on other bytes torch's reader may raise anything
        # of torch's text only the reason: the rest advises to load the file without this check
        first = (str(error).rpartition("WeightsUnpickler error: ")[2].splitlines() or [type(error).__name__])[
            0
        ]
        raise FormatError(
            f"path = {path}: not a state_dict that `save` has written, or damaged ({first[:100]}): expected another file"
        ) from None
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        raise FormatError(f"path = {path}: holds {type(state).__name__}, expected a state_dict")
    for name, value in state.items():
        if isinstance(value, torch.Tensor):
            apart = value.is_nested or value.is_quantized or torch.nn.parameter.is_lazy(value)
            good = not apart and value.layout is torch.strided and value.device.type == "cpu"
            kind = (
                f"a tensor of {value.layout}, {value.dtype} on {value.device}{', nested' * value.is_nested}"
            )
        else:
            good, kind = _plain(value), f"a {type(value).__name__} with other objects"
        if not good:
            raise FormatError(
                f"path = {path}: {name[:40]} is {kind}: expected a dense tensor in memory, or numbers and texts"
            )
    return state


def _plain(value: Any, depth: int = 8) -> bool:
    """Whether a value is numbers, texts, lists and dicts of these: equal or not, without asking tensors."""
    if isinstance(value, dict | list | tuple):
        inner = value.values() if isinstance(value, dict) else value
        names = all(isinstance(name, str) for name in value) if isinstance(value, dict) else True
        return depth > 0 and names and all(_plain(one, depth - 1) for one in inner)
    return value is None or isinstance(value, bool | int | float | str)


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        same = one.dtype == other.dtype or (one.dtype in _FLOATS and other.dtype in _FLOATS)
        return one.shape == other.shape and same
    return type(one) is type(other) and not isinstance(one, torch.Tensor) and one == other


def _difference(there: Any, here: Any) -> str:
    if isinstance(there, dict) and isinstance(here, dict):  # parameters of neurons
        return ", ".join(
            f"{key} {_difference(there.get(key), value)}"
            for key, value in here.items()
            if there.get(key) != value
        )
    return f"{_shown(there)} there, {_shown(here)} here"


def _shown(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return str(tuple(value.shape)) + (f" {value.dtype}" if value.dtype not in _FLOATS else "")
    return "nothing" if value is None else str(value)
