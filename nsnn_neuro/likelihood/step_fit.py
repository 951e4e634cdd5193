"""`StepFit`: base of fits of one neuron that predict each step from the spikes before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..core.aliases import Signal, SpikeSource, Time
from ..core.checks import check_seed, suggest_keywords
from ..measures import Estimate
from .misfit import Predicted, misfit_table
from .scores import PerStep, Rescaled, Scored, bits_per_spike, rescale, warn_fitted

Arguments = tuple[Any, Any, Any, Any, Any]
"""The arguments trains, signal, inputs, t_start, t_stop."""


class StepFit(Scored):
    """Base of fits of one neuron, with scores and tests of its predictions."""

    _per_step: Callable[[Arguments], PerStep]
    _silence: Callable[[Arguments], tuple[np.ndarray, np.ndarray]]
    """log P(no spike) of each step and the spikes, (n,)"""
    _tested: Callable[[Arguments], tuple[Sequence[Predicted], float, Mapping[str, str]]]
    """what `misfit` tests, the step (s), and what to do by kind of test"""

    @suggest_keywords
    def score(
        self,
        trains: SpikeSource,
        signal: Signal | Sequence[Signal] | None = None,
        *,
        inputs: Any = None,
        t_start: Time | None = None,
        t_stop: Time | None = None,
    ) -> Estimate:
        """Bits per spike of these data over a homogeneous neuron.

            (log2 P(spikes) - log2 P0(spikes)) / n_spikes

        P0 is a neuron with the mean spike probability of *these* data. `se` is the error over 20
        consecutive parts of the data, not that of the fit. Pass spikes that were not fitted, such as
        those after the fit's t_stop: a warning says how many of them were, whose score is too high, if
        these are more than half or all where times overlap.

        A fit of counts is scored like the others, by the probability of a spike in a step with one.
        Where some step has several spikes it is scored by the likelihood of the counts over a Poisson
        process, and `warning` says so.

        trains, inputs, t_start, t_stop : as for the fit: fit.score(block, signal, t_start=...)
        signal : as for `fit_neuron`; of a calibration in place of that of the fit's stimulus (see
            `under`), or a list with that of each recording in `trains`; None: the stimulus of the
            calibration, which has to last as long
        """
        steps = self._per_step((trains, signal, inputs, t_start, t_stop))
        warn_fitted({"": steps})
        return bits_per_spike(steps.log_likelihood, steps.o)

    @suggest_keywords
    def per_step(
        self,
        trains: SpikeSource,
        signal: Signal | Sequence[Signal] | None = None,
        *,
        inputs: Any = None,
        t_start: Time | None = None,
        t_stop: Time | None = None,
    ) -> PerStep:
        """The log-likelihood of each step, trials in line; arguments as of `score`."""
        return self._per_step((trains, signal, inputs, t_start, t_stop))

    def rescaled(
        self,
        trains: SpikeSource | None = None,
        signal: Signal | Sequence[Signal] | None = None,
        *,
        inputs: Any = None,
        t_start: Time | None = None,
        t_stop: Time | None = None,
        seed: int = 0,
        n_seeds: int = 1,
    ) -> Rescaled:
        """Time-rescaling test of these data (None: the fitted ones), exact in discrete time.

        p is uniform for spikes of the model that were not fitted.

        seed, n_seeds : of the positions of spikes within steps, as of `Rescaled.of`

        Source: as of `Rescaled.of`
        """
        return rescale(*self._silence((trains, signal, inputs, t_start, t_stop)), check_seed(seed), n_seeds)

    def misfit(
        self,
        trains: SpikeSource | None = None,
        signal: Signal | Sequence[Signal] | None = None,
        *,
        inputs: Any = None,
        t_start: Time | None = None,
        t_stop: Time | None = None,
        alpha: float = 0.05,
    ) -> pd.DataFrame:
        """Test what the fit misses: a row for each test, with advice where q is below alpha.

        Score tests: do the spikes, beyond their probability, depend on the stimulus now and up to
        200 ms ago and on its square, on earlier spikes over 3 to 500 ms, on another refractory time
        (of a held `tau_refrac` above 0), on noise that outlasts a spike ("noise": white noise does
        not), or on slow time? Parameters that were fitted are accounted for. A test that they leave
        nothing to see has NaN.

        trains, signal, inputs, t_start, t_stop : as of `rescaled`; of a fit of `fit_neuron` without a
            signal (trains = None) the stimulus of the tests is the filtered one
        alpha : share of false ones among the tests with advice, at most

        Returns
        -------
        DataFrame : test, kind, lag (s), statistic (z; chi-square for df above 1), df, p, q (p after
            Benjamini and Hochberg), advice. `plotting.misfit` draws it

        Source: Rao 1948, doi 10.1017/S0305004100023987; Benjamini & Hochberg 1995, doi
        10.1111/j.2517-6161.1995.tb02031.x
        """
        parts, dt, cures = self._tested((trains, signal, inputs, t_start, t_stop))
        return misfit_table(parts, dt, alpha, cures)
