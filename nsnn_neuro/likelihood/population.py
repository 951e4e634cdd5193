"""`fit_population`: maximum likelihood fits of coupled neurons, and `PopulationFit`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import neo
import numpy as np
import pandas as pd

from ..core.aliases import Progress, Signal, SpikeSource, Time
from ..core.checks import suggest_keywords, whole
from ..core.errors import NsnnError
from ..core.progress import progress_bar
from ..io.spikes import Trains
from ..measures import Estimate, as_trains
from ..models.escape import Family
from .bases import Basis
from .coupling import input_columns
from .data import Data, drawn_block
from .drawing import draw, warn_runaway
from .fit import NeuronFit, check_penalties, check_spikes, model_of, penalised_fit
from .fit_codec import Saved
from .misfit import filter_cures, misfit_table, of_filters
from .model import NeuronModel
from .responses import Poisson
from .scores import Rescaled, Scored, bits_per_spike, rescale, warn_fitted


@dataclass(frozen=True, eq=False)
class PopulationFit(Scored, Saved):
    """Result of `fit_population`: a `NeuronFit` of each neuron, coupling, scores, simulation.

    >>> from brian2 import ms, second
    >>> from nsnn_neuro import Logistic, to_block
    >>> rng = np.random.default_rng(0)
    >>> times = [np.flatnonzero(rng.random(2000) < 0.1) * 1e-3 for _ in range(3)]
    >>> block = to_block([times], t_stop=2*second)
    >>> fit = fit_population(block, dt=1*ms, coupling=2, family=Logistic(1.0))
    >>> lags, filters, errors = fit.coupling_filters()
    >>> filters.shape, bool(np.nanmax(np.abs(filters / errors)) < 4)
    ((3, 3, 2), True)
    """

    fits: tuple[NeuronFit, ...]
    """one for each neuron, whose inputs are the other neurons in their order"""

    def __repr__(self) -> str:
        """Sizes and scores of the fitted data, without the filters."""
        n, steps = sum(fit.n_spikes for fit in self.fits), self.fits[0].n_steps
        bits = sum(fit.bits_per_spike * fit.n_spikes for fit in self.fits) / n
        return (
            f"PopulationFit: {len(self.fits)} neurons, {n} spikes in {steps} steps of {self.fits[0].model.step:g} s, "
            f"{len(self.fits[0].parameters)} parameters each\n"
            f"{bits:.3g} bits per spike (of the fitted data); {int((self.coupling_p() < 0.01).sum())} of "
            f"{len(self.fits) * (len(self.fits) - 1)} couplings with p < 0.01"
        )

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return len(self.fits)

    def coupling_filters(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Effects of spikes: lags (s), values and standard errors (post, pre, n_lags).

        The diagonal is NaN: a neuron's effect on itself is `fits[k].history_filter()`.
        """
        n = self.n_neurons
        lags = self.fits[0].coupling_filter()[0]
        values, errors = (np.full((n, n, len(lags)), np.nan) for _ in range(2))
        for post, fit in enumerate(self.fits):
            pre = _others(post, n)
            values[post, pre], errors[post, pre] = fit.coupling_filter()[1:]
        return lags, values, errors

    def coupling_p(self) -> np.ndarray:
        """p-value of no coupling, (post, pre), by Wald's chi-square test; NaN on the diagonal.

        Of n (n - 1) pairs without coupling a share p has a value below p: correct for their number.
        With a ridge it is too large.
        """
        n = self.n_neurons
        p = np.full((n, n), np.nan)
        for post, fit in enumerate(self.fits):
            tests = fit.wald_tests()["p"]
            p[post, _others(post, n)] = tests.filter(regex=r"^coupling\[" if n > 2 else "^coupling")
        return p

    @suggest_keywords
    def score(
        self,
        block: SpikeSource,
        signal: Signal | None = None,
        *,
        t_start: Time | None = None,
        t_stop: Time | None = None,
    ) -> Estimate:
        """Bits per spike over homogeneous neurons, all together, as `NeuronFit.score`.

        Each neuron is predicted from the earlier spikes of all.

        block : spikes that were not fitted: fit.score(block, signal, t_start=...)
        """
        logs, o = self._logs(block, signal, t_start, t_stop)
        return bits_per_spike(logs.sum(axis=1), o)

    def scores(
        self,
        block: SpikeSource,
        signal: Signal | None = None,
        *,
        t_start: Time | None = None,
        t_stop: Time | None = None,
    ) -> pd.DataFrame:
        """`score` of each neuron: neuron, bits_per_spike, se, n spikes; NaN without spikes."""
        logs, o = self._logs(block, signal, t_start, t_stop)
        rows = []
        for k, n in enumerate(o.sum(axis=0).astype(int).tolist()):
            one = bits_per_spike(logs[:, k], o[:, k]) if n else Estimate(np.nan)
            rows.append({"neuron": k, "bits_per_spike": one.value, "se": one.se, "n": n})
        return pd.DataFrame(rows)

    def rescaled(
        self,
        block: SpikeSource,
        signal: Signal | None = None,
        *,
        t_start: Time | None = None,
        t_stop: Time | None = None,
        seed: int = 0,
        n_seeds: int = 1,
    ) -> list[Rescaled]:
        """Time-rescaling test of each neuron, as `NeuronFit.rescaled`."""
        return [
            rescale(fit.model.probability(fit.values, data)[0], data.o, seed, n_seeds)
            for fit, data in self._each(block, signal, t_start, t_stop)
        ]

    def misfit(
        self,
        block: SpikeSource,
        signal: Signal | None = None,
        *,
        t_start: Time | None = None,
        t_stop: Time | None = None,
        alpha: float = 0.05,
    ) -> pd.DataFrame:
        """Test what the fit misses, for each neuron (column "neuron") as `NeuronFit.misfit`."""
        tables, trains = [], as_trains(block)
        for k, (fit, data) in enumerate(self._each(block, signal, t_start, t_stop)):
            raw = None
            if signal is not None:
                raw = fit.model.raw_signal(trains.of_neuron(k), signal, (t_start, t_stop))
            parts = of_filters(fit.model, fit.values, data, raw)
            table = misfit_table(parts, fit.model.step, alpha, filter_cures(fit.model))
            tables.append(table.assign(neuron=k))
        return pd.concat(tables, ignore_index=True)

    def _logs(self, block: Any, signal: Any, t_start: Any, t_stop: Any) -> tuple[np.ndarray, np.ndarray]:
        """Log-likelihood and spikes of each step and neuron, (n, n_neurons)."""
        each = [fit.steps_of(data) for fit, data in self._each(block, signal, t_start, t_stop)]
        warn_fitted({f"neuron {k}": one for k, one in enumerate(each)})
        logs, o = ([getattr(one, name) for one in each] for name in ("log_likelihood", "o"))
        return np.stack(logs, axis=1), np.stack(o, axis=1)

    def _each(self, block: Any, signal: Any, t_start: Any, t_stop: Any) -> Iterator[tuple[NeuronFit, Data]]:
        """The fit and the data of each neuron."""
        trains = as_trains(block)
        if trains.n_neurons != self.n_neurons:
            raise NsnnError(f"block has {trains.n_neurons} neurons: expected {self.n_neurons}")
        data = _data_of_each(self.fits[0].model, trains, signal, (t_start, t_stop))
        return zip(self.fits, data, strict=True)

    def simulate(
        self,
        signal: neo.AnalogSignal | None = None,
        *,
        trials: int = 1,
        duration: Time | None = None,
        seed: int = 0,
    ) -> neo.Block:
        """Simulate all neurons together, each from the simulated spikes of all.

        A warning names neurons whose rate runs away: a fit predicts each step from recorded spikes,
        and need not be stable.

        signal : as of `NeuronModel.simulate`; duration : time, without a signal
        """
        whole(trials, 1, "trials")
        model, values = self.fits[0].model, np.array([fit.values for fit in self.fits])
        alone = replace(model, coupling=None, n_inputs=0)
        steps, columns = alone.drive_columns(signal, None, trials, duration)
        drive = values[:, 0] + columns[0] @ values[:, 1 : 1 + columns.shape[2]].T  # (n_steps, n_neurons)
        kernel = np.nan_to_num(self.coupling_filters()[1]).transpose(2, 0, 1)
        cells = replace(model.cells(values), coupling=kernel)
        n, shape = len(drive), (len(drive), trials, self.n_neurons)
        spikes = draw(np.broadcast_to(drive[:, None], shape), cells, np.random.default_rng(seed))
        named = {f"neuron {k}": fit.parameters for k, fit in enumerate(self.fits)}
        block = drawn_block(steps, spikes, shape, seed, named)
        rate = np.bincount(spikes[2], minlength=self.n_neurons) / (trials * n * model.step)
        recorded = np.array([fit.n_spikes / (fit.n_steps * model.step) for fit in self.fits])
        warn_runaway([f"neuron {k}" for k in range(self.n_neurons)], rate, recorded)
        return block


@suggest_keywords
def fit_population(
    block: SpikeSource,
    signal: Signal | None = None,
    *,
    dt: Time,
    coupling: Basis | int,
    stimulus: Basis | int | None = None,
    history: Basis | int | None = None,
    family: Family | Poisson | None = None,
    beta: float | str = 0.0,
    theta: float | str | None = None,
    reset: str = "hard",
    refractory: Any = None,
    ridge: float | str = 0.0,
    smoothness: float = 0.0,
    n_folds: int = 5,
    t_start: Time | None = None,
    t_stop: Time | None = None,
    progress: Progress = None,
) -> PopulationFit:
    """Fit coupled noisy neurons to a population's spikes by maximum likelihood.

        P(spike of i in step t) = F(a_i(t)),  a_i = bias + stimulus + history of i + sum over j of the filtered spikes of j - theta

    Spikes act from the next step on, so given the past each neuron is fitted by itself. A coupling is
    a statistical dependence: unrecorded neurons and a coarse stimulus filter cause it as well.

    Parameters
    ----------
    block : neo.Block of two neurons or more, one segment for each trial
    coupling : basis of the effect of a neuron's spikes on the others, lags from one step; for
        effects within a step see first_input_lag of `fit_neuron`
    signal, dt, stimulus, history, family, beta, theta, reset, refractory, ridge, smoothness,
        n_folds, t_start, t_stop : as for `fit_neuron`, the same for all neurons; ridge="cv" chooses
        for each neuron
    progress : as for `calibrate`

    Raises
    ------
    NsnnError : as `fit_neuron`, with the neuron's number; fewer than two neurons

    Source: Pillow et al. 2008, doi 10.1038/nature07140

    >>> from brian2 import ms, second
    >>> from nsnn_neuro import Logistic, to_block
    >>> rng = np.random.default_rng(0)
    >>> first = rng.random(4000) < 0.1
    >>> second_cell = rng.random(4000) < np.where(np.roll(first, 1), 0.5, 0.05)  # follows the first
    >>> times = [np.flatnonzero(o) * 1e-3 for o in (first, second_cell)]
    >>> block = to_block([times], t_stop=4*second)
    >>> fit = fit_population(block, dt=1*ms, coupling=1, family=Logistic(1.0))
    >>> fit.coupling_filters()[1][:, :, 0].round(1)
    array([[nan, 0.1],
           [3. , nan]])
    """
    trains = as_trains(block)
    if trains.n_neurons < 2:
        raise NsnnError(f"block has {trains.n_neurons} neuron: expected two or more; fit_neuron fits one")
    penalties = check_penalties(ridge, smoothness)
    if isinstance(coupling, list | tuple):
        raise NsnnError("coupling is a list of bases: expected one basis for all pairs of neurons")
    model = model_of(
        signal, trains.n_neurons - 1, dt, stimulus=stimulus, coupling=coupling, history=history,
        family=family, beta=beta, theta=theta, reset=reset, refractory=refractory,
    )  # fmt: skip
    each = _data_of_each(model, trains, signal, (t_start, t_stop))
    fits = []
    with progress_bar(progress, "fitting neurons") as report:
        for k in range(trains.n_neurons):
            try:
                data = next(each)
                check_spikes(model, data, trains.of_neuron(k))
                fit = penalised_fit(model, data, *penalties, n_folds)
            except NsnnError as error:
                raise NsnnError(f"neuron {k}: {error}") from error
            fits.append(replace(fit, _data=data.without_columns()))
            if report:
                report((k + 1) / trains.n_neurons)
    return PopulationFit(tuple(fits))


def _data_of_each(model: NeuronModel, trains: Trains, signal: Any, span: tuple[Any, Any]) -> Iterator[Data]:
    """The data of each neuron, with the others as inputs; the columns of all neurons' spikes are computed once."""
    basis, every = model.coupling_bases()[0], list[np.ndarray]()
    n = basis.shape[1]

    def columns(starts: np.ndarray, lengths: list[int], neuron: int) -> list[np.ndarray]:
        if not every:
            every.extend(input_columns(trains, starts, lengths, [basis] * trains.n_neurons, model.step))
        return [np.delete(one.T, slice(neuron * n, (neuron + 1) * n), axis=0) for one in every]

    for k in range(trains.n_neurons):
        yield model.columns(trains.of_neuron(k), signal, partial(columns, neuron=k), span)


def _others(neuron: int, n: int) -> np.ndarray:
    return np.delete(np.arange(n), neuron)
