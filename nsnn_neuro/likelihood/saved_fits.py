"""`load_fit`: the fit in a file that `save` of a fit has written, of a trained network or of a model of recorded spikes."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ..core.checks import one_of, suggest_keywords
from ..core.errors import NsnnError
from ..core.file_limits import Budget
from ..core.parameters import Model
from ..core.results import opened_fit
from ..io.spikes import Trains
from ..measures import Estimate
from ..models import escape, neurons, noise, stimuli, synapses
from ..models.short_term import TsodyksMarkram
from .bases import Exponentials, Lags, RaisedCosines
from .by_simulation.regression import Surface
from .by_simulation.runs import Runs
from .by_simulation.simulation_calibration import SimulationCalibration
from .by_simulation.statistics import Statistics
from .calibration.calibrated import Calibrated
from .calibration.calibration import Calibration
from .calibration.free_parameters import FreeParameter, FreeParameters
from .continuous.cells import Grid
from .continuous.trials import Trial
from .data import Data
from .fit import NeuronFit
from .fit_codec import VERSION, decoded
from .model import NeuronModel
from .network import NetworkModel
from .network_windows import NetworkFit
from .population import PopulationFit
from .responses import NegativeBinomial, Poisson
from .states.states_fit import StatesFit
from .states.states_model import StatesData, StatesModel
from .synaptic_input import SynapticInput
from .voltage.voltage_calibration import VoltageCalibration

FITS = NeuronFit, StatesFit, PopulationFit, NetworkFit, Calibration, SimulationCalibration, VoltageCalibration
_MODELS = [getattr(room, name) for room in (neurons, escape, noise, stimuli) for name in room.__all__]
TYPES: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        *(
            *FITS,
            NeuronModel,
            NetworkModel,
            Data,
            Lags,
            Exponentials,
            RaisedCosines,
            Poisson,
            NegativeBinomial,
        ),
        *(StatesModel, StatesData, FreeParameters, FreeParameter, Trial, Grid, Runs, Statistics, Surface),
        *(Estimate, Trains, SynapticInput, TsodyksMarkram),
        *(synapses.DeltaSynapse, synapses.ExponentialSynapse, synapses.AlphaSynapse),
        synapses.ConductanceSynapse,
        *(kind for kind in _MODELS if isinstance(kind, type) and issubclass(kind, Model)),
    )
}
"""The types that a file may name."""


@suggest_keywords
def load_fit(
    path: str | os.PathLike[str], *, engine: str | None = None, max_bytes: float | None = None
) -> Any:
    """Read a fit that its method `save` wrote. It scores, evaluates and simulates as the saved fit did, for the same seed.

    Parameters
    ----------
    path : an .npz file, written by `save` of what `train`, `fit_neuron`, `fit_states`, `fit_population`, `fit_network` or
        `calibrate` returns
    engine : of a trained network, "cython" or "numpy"; None: that of the training
    max_bytes : memory that reading may take, in bytes, and the states of a batch of samples; None: 512 MiB, and 32 times the file's
        size where that is more

    Returns
    -------
    Fit, NeuronFit, StatesFit, PopulationFit, NetworkFit, Calibration, SimulationCalibration or VoltageCalibration

    Raises
    ------
    FileNotFoundError : no such file
    FormatError : another file, such as a checkpoint, or a damaged one; it needs more than max_bytes. Nothing in it is run
    NsnnError : another ending, or an engine that training doesn't have

    >>> import tempfile
    >>> from nsnn_neuro import NDL, EscapeNoise, Gaussian, feedforward, losses, train
    >>> X, y = np.eye(2)[[0, 1] * 20], np.array([0, 1] * 20)
    >>> net = feedforward([2, 2], noise=EscapeNoise(Gaussian(0.4)), plasticity=NDL(0.5))
    >>> fit = train(net, (X, y), loss=losses.rate_mse, epochs=2, keep="best", seed=1, engine="numpy")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     again = load_fit(fit.save(f"{folder}/fit.npz"))
    >>> again.evaluate((X, y), seed=3) == fit.evaluate((X, y), seed=3)
    True
    """
    if engine is not None:
        one_of(engine, ("cython", "numpy"), "engine")
    with opened_fit(path, max_bytes) as (arrays, about, budget):
        if "saved" in about:
            fit = _checked(about, arrays, budget)
        else:
            from ..learning import fit_files
            from ..learning.fit import Fit

            return Fit(**fit_files.fields(arrays, about, budget, engine))
    if engine is not None:
        raise NsnnError(
            f"engine = {engine!r}: expected None for a {type(fit).__name__}; simulate takes an engine"
        )
    return fit


def _checked(about: dict[str, Any], arrays: dict[str, np.ndarray], budget: Budget) -> Any:
    """The fit of plain data, whose parts are of sizes that agree."""
    if about["saved"] != VERSION:
        raise ValueError(f"of format {about['saved']}, expected {VERSION}")
    fit = decoded(about["fit"], TYPES, arrays)
    if not isinstance(fit, FITS):
        raise ValueError(f"a {type(fit).__name__}, no fit")
    for one in fit.fits if isinstance(fit, PopulationFit) else [fit]:
        _check_sizes(one, budget)
    repr(fit)
    return fit


def _check_sizes(fit: Any, budget: Budget) -> None:
    """Raise ValueError unless the parameters of a fit are those of its model, which needs no more memory than the budget has."""
    n = (0,) if isinstance(fit, NetworkFit) else (len(fit.parameters),)
    if isinstance(fit, Calibrated):
        agree = fit._u.shape == n and fit._scaled.shape == n * 2 and tuple(fit.parameters) == fit._free.names
        agree &= getattr(fit, "grid", Grid()).known()
    else:
        for name in ("stimulus", "history", "coupling", "transitions"):
            basis = getattr(fit.model, name, None)
            for one in basis if isinstance(basis, tuple) else (basis,):
                budget.take(0.0 if one is None else one.size(fit.model.step), "a basis")
        if isinstance(fit, NetworkFit):
            agree = tuple(one.shape for one in fit.weights) == fit.model.shapes
        else:
            agree = tuple(fit.parameters) == fit.model.names and fit.covariance.shape == n * 2
    if not agree:
        raise ValueError("its parameters aren't those of its model")
