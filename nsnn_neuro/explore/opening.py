"""`explore`, which opens the page in a notebook."""

from __future__ import annotations

from typing import Any

import quantities as pq

from ..core.aliases import Time
from ..core.checks import suggest_keywords
from ..core.errors import needs_package
from ..models.neurons import IntegrateAndFire
from ..models.noise import Noise
from .state import NEURONS, State


@suggest_keywords
def explore(
    model: IntegrateAndFire | None = None,
    noise: Noise | None = None,
    stimulus: Any = None,
    *,
    n_neurons: int = 20,
    trials: int = 20,
    duration: Time = 1 * pq.s,
    dt: Time = 0.1 * pq.ms,
    seed: int = 1,
) -> Any:
    """Show sliders for a noisy neuron, and beside them its spikes, membrane, intervals and f-I curve with theory.

    A notebook displays the result; `nsnn explore` opens the same view in a browser. Each change simulates again with the same seed.
    Theory is drawn where `theory` has it; of coloured and shot noise, and of EIF and QIF, with the switch "slow results".

    Parameters
    ----------
    model : `LIF`, `PIF`, `EIF`, `QIF` or `AdEx` whose parameters are numbers; None: an LIF
    noise : a noise model of the package for this neuron; None: white noise
    stimulus : `Constant`, or None for a drive near the threshold
    n_neurons, trials, duration, dt, seed : as for `simulate`

    Returns
    -------
    panel.viewable.Viewer : its `state` has the models of the moment, `state.python()` and `state.toml()` the texts of them

    Raises
    ------
    NsnnError : another model, arrays as parameters, a longer run than can be shown at once, or Panel is not installed

    >>> import nsnn_neuro as nsnn
    >>> nsnn.explore()  # doctest: +SKIP
    """
    run = {"n_neurons": n_neurons, "trials": trials, "duration": duration, "dt": dt, "seed": seed}
    state = State.of(model or NEURONS["LIF"], noise, stimulus, **run)
    with needs_package("panel", "explore"):
        from .page import in_notebook

        return in_notebook(state)
