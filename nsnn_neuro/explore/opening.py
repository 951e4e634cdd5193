"""`explore`, which opens the page in a notebook."""

from __future__ import annotations

from typing import Any

from ..core.checks import suggest_keywords
from ..core.errors import needs_package
from ..models.neurons import IntegrateAndFire
from ..models.noise import Noise
from .state import NEURONS, State


@suggest_keywords
def explore(
    model: IntegrateAndFire | None = None, noise: Noise | None = None, stimulus: Any = None, **run: Any
) -> Any:
    """Show sliders for a noisy neuron, and beside them its spikes, membrane, intervals and f-I curve with theory.

    A notebook displays the result; `nsnn explore` opens the same view in a browser. Each change simulates again with the same seed.
    Theory is drawn where `theory` has it; of coloured and shot noise, and of EIF and QIF, with the switch "slow results".

    Parameters
    ----------
    model : `LIF`, `PIF`, `EIF`, `QIF` or `AdEx` whose parameters are numbers; None: an LIF
    noise : a noise model of the package for this neuron; None: white noise
    stimulus : `Constant`, or None for a drive near the threshold
    run : arguments of `simulate`: n_neurons, trials (both 20), duration (1 s), dt (0.1 ms), seed (1)

    Returns
    -------
    panel.viewable.Viewer : its `state` has the models of the moment, `state.python()` and `state.toml()` the texts of them

    Raises
    ------
    NsnnError : another model, arrays as parameters, a longer run than can be shown at once, or Panel is not installed

    >>> import nsnn_neuro as nsnn
    >>> nsnn.explore()  # doctest: +SKIP
    """
    state = State.of(model or NEURONS["LIF"], noise, stimulus, **run)
    with needs_package("panel", "explore"):
        from .page import in_notebook

        return in_notebook(state)
