"""The log-likelihood of each step of a recording under a model: what fits of all kinds have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class PerStep:
    """The log-likelihood of each step, given what was before; from `per_step` of a fit.

    A model of your own with a method per_step(trains, signal, *, t_start, t_stop) that returns one is compared like a fit.

    >>> steps = PerStep(np.log([0.9, 0.2]), np.array([0.0, 1.0]), 0.001)
    >>> round(float(steps.log_likelihood.sum()), 3)
    -1.715
    """

    log_likelihood: np.ndarray
    """(n,) nats: log P(spike) in a step with one, else log P(none)"""
    o: np.ndarray
    """(n,) 1.0 in a step with a spike"""
    dt: float
    """s"""
