"""Whether a network treats each image alone, as its certificate requires; hooks and training mode are refused."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.modules import module as torch_module

from ..core.errors import NsnnError
from ..learning.coding import Bernoulli, Count, Direct, FirstSpike, LeakyReadout
from .classifier import Classifier
from .feedback_alignment import RandomFeedback
from .neuron import EachStep, NoisySpike
from .residual import Residual, Times

_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
# in `eval` mode: these treat each image alone, inside and outside an `EachStep`
_ANYWHERE = (
    *(nn.Linear, nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout),
    *(NoisySpike, Times, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh),
    *(nn.Softplus, nn.Hardtanh),
)
# in an `EachStep`, where images and steps are the first axis
_IN_A_STEP = (
    *(nn.Conv2d, nn.Conv3d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool2d, nn.AvgPool3d, *NORMS),
    *(nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d),
)
_ENCODERS, _DECODERS = (Direct, Bernoulli), (Count, FirstSpike, LeakyReadout)


def refuse_hidden_effects(net: nn.Module) -> None:
    """NsnnError for hooks, a replaced `forward`, batch statistics, and what stays in training mode; `net` is in `eval` mode.

    >>> net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).eval()
    >>> refuse_hidden_effects(net)
    >>> _ = net[0].register_forward_hook(print)
    >>> refuse_hidden_effects(net)
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: module has a hook at '0', Linear: a certificate holds for the modules alone; remove it, ...
    """
    if any(getattr(torch_module, f"_global{name}", None) for name in _HOOKS):
        raise NsnnError("torch has a hook for all modules: a certificate holds for modules alone; remove it")
    for name, module in net.named_modules():
        place = f"at {name.removeprefix('module.')!r}, {type(module).__name__}"
        if any(getattr(module, hooks, None) for hooks in _HOOKS) or "forward" in vars(module):
            raise NsnnError(
                f"module has a hook {place}: a certificate holds for the modules alone; remove it, or make it a module"
            )
        if module.training:
            raise NsnnError(
                f"module stays in training mode {place}: expected one that `eval()` switches, as votes have to be independent"
            )
        if isinstance(module, NORMS) and module.running_mean is None:
            raise NsnnError(
                f"module has batch statistics {place}: they mix images, expected running ones, track_running_stats=True"
            )


def each_alone(net: Classifier) -> bool:
    """Whether all of a classifier is known to treat each image of a batch alone, so that its votes can be cast at once.

    >>> net = Classifier(nn.Sequential(nn.Linear(4, 2), nn.ReLU()))
    >>> each_alone(net), each_alone(Classifier(nn.Sequential(nn.LayerNorm(2))))
    (True, False)
    """
    known = type(net) is Classifier and type(net.encoder) in _ENCODERS and type(net.decoder) in _DECODERS
    return known and treats_alone(net.module, 2)


def treats_alone(module: Any, axes: int) -> bool:
    """Whether a module is known to leave apart images in the first `axes` axes: 2, (steps, images); 1 in an `EachStep`.

    >>> treats_alone(nn.Flatten(), 1), treats_alone(nn.Flatten(), 2)
    (True, False)
    """
    forward = type(module).forward
    if isinstance(module, nn.Sequential) and forward in (nn.Sequential.forward, EachStep.forward):
        inside = 1 if forward is EachStep.forward else axes
        return all(treats_alone(child, inside) for child in module)
    if forward is Residual.forward:
        return all(treats_alone(part, axes) for part in (module.inner, module.skip) if part is not None)
    if forward is RandomFeedback.forward:
        return treats_alone(module.layer, axes)
    if forward is nn.Flatten.forward:
        return bool(module.start_dim >= axes)
    if forward is nn.Unflatten.forward:
        return module.dim == -1 or (isinstance(module.dim, int) and module.dim >= axes)
    # a subclass may override forward; a parametrisation (`bound_norm`) makes a subclass that doesn't
    return any(forward is kind.forward for kind in (_ANYWHERE if axes == 2 else _ANYWHERE + _IN_A_STEP))
