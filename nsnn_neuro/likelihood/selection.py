"""`cross_validate`: choice of a model by the likelihood of held-out data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..core.aliases import Signal, SpikeSource, Time
from ..core.errors import NsnnError
from ..measures import as_trains
from .coupling import check_first_lag
from .cross_validation import blocks, held_out
from .data import Data
from .dispersion import maximise
from .fit import NeuronFit, fit_data, prepared
from .prior import Prior, strength
from .scores import bits_per_spike, paired_error, part_sums
from .states.states_fit import fit_states_data
from .states.states_model import StatesModel
from .states.states_search import maximise_states

_PENALTIES = ("ridge", "smoothness")
_BASES = ("stimulus", "coupling", "first_input_lag", "products", "history")
_OF_STATES = ("n_states", "transitions", "n_starts", "seed")
_OPTIONS = (*_BASES, "family", "beta", "theta", "reset", "refractory", *_PENALTIES, *_OF_STATES)
_SCORES = ("bits_per_spike", "se", "behind", "behind_se")


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """Result of `cross_validate`: the candidates with their scores, and the best fit.

    >>> import neo, quantities as pq
    >>> from nsnn_neuro.likelihood import Lags, NeuronModel
    >>> from nsnn_neuro import Gaussian
    >>> x = np.random.default_rng(1).normal(size=3000)
    >>> signal = neo.AnalogSignal(x, units="dimensionless", sampling_period=1*pq.ms)
    >>> cell = NeuronModel(dt=1*pq.ms, family=Gaussian(1.0), stimulus=Lags(2))
    >>> spikes, two = cell.simulate([-1.5, 0.5, 0.6], signal), [{"stimulus": 1}, {"stimulus": 2}]
    >>> choice = cross_validate(spikes, signal, two, dt=1*pq.ms, n_folds=3)
    >>> (choice.table.behind > 0).tolist(), choice.values.shape
    ([True, False], (3, 3))
    """

    fit: NeuronFit
    """the best candidate, fitted to all the data given"""
    best: dict[str, Any]
    """its options"""
    table: pd.DataFrame
    """a row for each candidate: its options as given; bits_per_spike and se, cross-validated;
    behind and behind_se, its deficit to the best, paired over parts of the data; refused, why it
    can't be fitted, or "" (where it can't, numbers are NaN)"""
    folds: np.ndarray = field(repr=False)
    """(n_steps,) the block in time of each step, trials concatenated"""
    values: np.ndarray = field(repr=False)
    """(n_folds, n_parameters) of the best candidate, fitted without each block"""

    def __repr__(self) -> str:
        """The candidates' scores and the best fit, without the arrays."""
        scores = self.table[list(_SCORES)].round(4).to_string()
        refused = int((self.table["refused"] != "").sum())
        more = f", {refused} refused (see table)" if refused else ""
        first = f"CrossValidation: {len(self.table)} candidates{more}, {len(self.values)} folds; best: {self.best}"
        return f"{first}\n{scores}\n{self.fit!r}"


def cross_validate(
    trains: SpikeSource,
    signal: Signal,
    candidates: Sequence[Mapping[str, Any]],
    *,
    inputs: Any = None,
    dt: Time,
    n_folds: int = 5,
    t_start: Time | None = None,
    t_stop: Time | None = None,
    **options: Any,
) -> CrossValidation:
    """Choose options of `fit_neuron` or `fit_states` by cross-validated likelihood, and fit with them.

    Each trial is cut into `n_folds` blocks in time. For each block a candidate is fitted to the
    others and scored on it. The best score is slightly too high: keep a test part by `t_stop`.

    Parameters
    ----------
    trains, signal, inputs, dt, t_start, t_stop : as of `fit_neuron`
    candidates : dicts of any of stimulus, coupling, first_input_lag, products, history, family,
        beta, theta, reset, refractory, ridge and smoothness (numbers); with n_states, and any of
        transitions, n_starts and seed, a fit of `fit_states`. A candidate without stimulus (and
        transitions by it) does not use the signal, one without coupling not the inputs
    n_folds : whole number from 2
    **options : the same for all candidates

    Raises
    ------
    NsnnError : no candidate, unknown options, no candidate that can be fitted; and as `fit_neuron`

    Source: Stone 1974, doi 10.1111/j.2517-6161.1974.tb00994.x; blocks: Roberts et al. 2017, doi
    10.1111/ecog.02881

    >>> import neo, quantities as pq
    >>> from nsnn_neuro import Gaussian
    >>> from nsnn_neuro.likelihood import Lags, NeuronModel
    >>> x = np.random.default_rng(0).normal(size=6000)
    >>> signal = neo.AnalogSignal(x, units="dimensionless", sampling_period=1*pq.ms)
    >>> cell = NeuronModel(dt=1*pq.ms, family=Gaussian(1.0), stimulus=Lags(3))
    >>> spikes = cell.simulate([-1.5, 0.5, 0.0, 0.6], signal)
    >>> choice = cross_validate(spikes, signal, [{"stimulus": n} for n in (1, 3, 30)], dt=1*pq.ms)
    >>> choice.best, choice.fit.n_steps
    ({'stimulus': 3}, 6000)
    """
    if isinstance(candidates, Mapping) or not len(candidates):
        raise NsnnError(
            f"candidates = {candidates!r}: expected a list of dicts such as [{{'stimulus': 3}}, {{'stimulus': 9}}]"
        )
    given = None if inputs is None else as_trains(inputs, name="inputs")
    rows: list[dict[str, Any]] = []
    fitted: dict[int, tuple[NeuronFit, Data, np.ndarray, np.ndarray]] = {}
    last: tuple[dict[str, Any], Any] | None = None
    near: np.ndarray | None = None
    for k, candidate in enumerate(candidates):
        chosen = {**options, **candidate}
        unknown = sorted(set(chosen) - set(_OPTIONS))
        if unknown:
            raise NsnnError(
                f"candidates hold {', '.join(unknown)}: expected options of fit_neuron among {', '.join(_OPTIONS)}"
            )
        prior = Prior(
            *(strength(chosen.pop(one, 0.0), one, "a number from 0 for each candidate") for one in _PENALTIES)
        )
        states = "n_states" in chosen
        search = {one: chosen.pop(one) for one in ("n_starts", "seed") if one in chosen}
        if not states and "transitions" in chosen:
            raise NsnnError("candidates hold transitions without n_states: expected both, as {'n_states': 2}")
        rows.append({**candidate, **dict.fromkeys(_SCORES, np.nan), "refused": ""})
        try:
            if last is None or last[0] != chosen:
                driven = states and chosen.get("transitions") not in (None, "constant")
                x = signal if driven or chosen.get("stimulus") is not None else None
                y = None if chosen.get("coupling") is None else given
                make = {"make": StatesModel} if states else {}
                last = chosen, prepared(trains, x, y, dt, (t_start, t_stop), **make, **chosen)
                near = None
            model, data = last[1]
            if states:
                fit: NeuronFit = fit_states_data(model, data, prior, near, **search)
            else:
                fit = fit_data(model, data, prior, near)
            near = None if model.beta == "fit" else fit.values
            logs, values = held_out(
                model, data, prior, n_folds, near, maximise_states if states else maximise
            )
            score = bits_per_spike(logs, data.o)
            rows[k] |= {"bits_per_spike": score.value, "se": score.se}
            fitted[k] = fit, data, logs, values
        except NsnnError as error:
            rows[k]["refused"] = str(error)
    if not fitted:
        raise NsnnError(f"none of {len(rows)} candidates can be fitted; the last one: {rows[-1]['refused']}")
    k = max(fitted, key=lambda j: rows[j]["bits_per_spike"])
    fit, data, best, values = fitted[k]
    if fit.model.n_inputs:
        check_first_lag(given, data, fit.model.step, fit.model.first_input_lag)
    for j, (_, _, logs, _) in fitted.items():
        gain, n = (best - logs) / np.log(2), data.o.sum()
        rows[j] |= {"behind": float(gain.sum() / n), "behind_se": paired_error(part_sums(gain), n)}
    return CrossValidation(fit, dict(candidates[k]), pd.DataFrame(rows), blocks(data, n_folds), values)
