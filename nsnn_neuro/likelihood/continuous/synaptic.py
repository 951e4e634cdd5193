"""What synapses do to a membrane, given their input spikes: known functions of time.

As in `simulate`, a spike acts at the end of its step. With a delay that is not a multiple of the step its weight is shared by
the ends of two steps, so that the likelihood is continuous in the delay; the mean time of arrival is exact. States of synapses
take their exact step; currents and conductances have their mean over a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import expm

from ...core.numba_jit import njit
from ...models.neurons.expressions import value_of
from ...models.synapses import Synapse
from .trials import Trial

_FORGOTTEN = 40.0  # time constants after which the effect of a spike before the trial is neglected


@dataclass(frozen=True, eq=False)
class Synaptic:
    """The input of a membrane in steps, or in parts of them."""

    current: np.ndarray
    """(n,) what is added to the drive, with conductances times their reversal potentials"""
    load: np.ndarray
    """(n,) sum of conductances, in units of the leak; (0,) without conductances"""
    kick: np.ndarray
    """(n,) jump at the end of each step; (0,) without jumps"""


def synaptic(
    inputs: Sequence[Any], trial: Trial, dt: float, n_parts: int, known: dict[Any, Any] | None
) -> Synaptic:
    """The effect of the inputs of a trial, in `n_parts` of each step.

    inputs : `SynapticInput`s, with spikes in `trial.inputs`
    known : results by parameters, to which these are added: rows of parameters share many
    """
    n, known = len(trial.o), {} if known is None else known
    current, loads, kicks = np.zeros(n * n_parts), [], []
    for one, trains in zip(inputs, trial.inputs, strict=True):
        synapse, weight, law = one.synapse, float(one.si("weight")), one.short_term
        values = [
            float(part.si(field.name)) for part in (synapse, law) if part for field in part.parameter_fields()
        ]
        key = (id(trains), float(one.si("delay")), type(synapse), *values, dt, n_parts)
        if key not in known:
            known[key] = _of_unit_weight(synapse, *arriving(one, trains, dt), n, dt, n_parts)
        seen, jump = known[key]
        if synapse.conductance is not None:
            loads.append(weight * seen)
            current += loads[-1] * float(synapse.si(synapse.reversal))
        elif seen.size:
            current += weight * seen
        if jump.size:
            kicks.append(weight * jump)
    load, kick = (np.sum(some, axis=0) if some else np.zeros(0) for some in (loads, kicks))
    return Synaptic(current, load, kick)


def arriving(one: Any, trains: Sequence[np.ndarray], dt: float) -> tuple[np.ndarray, np.ndarray]:
    """When the spikes of an input arrive, in steps from the start of the trial, and the share of the weight that each transmits."""
    law = one.short_term
    sent = [np.ones(len(times)) if law is None else law.shares(times) for times in trains]
    return (np.concatenate(trains) + float(one.si("delay"))) / dt, np.concatenate(sent)


def _of_unit_weight(
    synapse: Synapse, place: np.ndarray, sent: np.ndarray, n: int, dt: float, n_parts: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean current or conductance of each part, (n * n_parts,), and the jump at its end; (0,) of what there is not.

    place : (n_spikes,) arrivals in steps from the start of the trial; sent : (n_spikes,) share of the weight of each
    """
    states = {field.name: float(synapse.si(field.name)) for field in synapse.parameter_fields()}
    added = [
        _number(synapse.on_arrival.get(x, "0"), {**states, "weight": 1.0}) for x in (*synapse.states, "v")
    ]
    jump = np.zeros(0)
    if added[-1]:
        jump = np.zeros(n * n_parts)
        jump[n_parts - 1 :: n_parts] = added[-1] * arrivals(place, sent, 0, n)
    m = len(synapse.states)
    if not m:
        return np.zeros(0), jump
    each = [dict(zip(synapse.states, row, strict=True)) for row in np.eye(m)]
    joint = np.zeros((m + 1, m + 1))  # of the states and the integral of the output
    for row, text in enumerate((*synapse.states.values(), synapse.conductance or synapse.current or "0")):
        joint[row, :m] = [_number(text, {**states, **one}) for one in each]
    slowest = -float(np.linalg.eigvals(joint[:m, :m]).real.max())
    earliest = -float(np.floor(place.min(initial=0.0)))
    before = int(min(earliest, np.ceil(_FORGOTTEN / (max(slowest, 1e-9) * dt))))
    part = expm(joint * (dt / n_parts))
    seen = part[m, :m] / (dt / n_parts)
    values = arrivals(place, sent, before, n)
    return _walk(values, part[:m, :m], seen, np.array(added[:m]), n_parts)[before * n_parts :], jump


def _number(text: str, values: dict[str, float]) -> float:
    return float(value_of(text, values))


def arrivals(place: np.ndarray, sent: np.ndarray, before: int, n: int) -> np.ndarray:
    """(before + n,) what arrives at the end of each step, also of those before the trial."""
    whole = np.floor(place)
    later = place - whole
    step = np.concatenate([whole, whole + 1]).astype(np.int64) + before
    shares = np.concatenate([sent * (1 - later), sent * later])
    inside = (step >= 0) & (step < before + n)
    return np.bincount(step[inside], shares[inside], minlength=before + n)


@njit(cache=True)  # pragma: no cover - compiled
def _walk(
    values: np.ndarray, keep: np.ndarray, seen: np.ndarray, added: np.ndarray, n_parts: int
) -> np.ndarray:
    """(n * n_parts,) the mean output of each part, for linear states."""
    m, n = len(added), len(values)
    x, after, result = np.zeros(m), np.zeros(m), np.zeros(n * n_parts)
    for step in range(n):
        for k in range(step * n_parts, (step + 1) * n_parts):
            for i in range(m):
                result[k] += seen[i] * x[i]
                after[i] = 0.0
                for j in range(m):
                    after[i] += keep[i, j] * x[j]
            for i in range(m):
                x[i] = after[i]
        if values[step] != 0.0:
            for i in range(m):
                x[i] += added[i] * values[step]
    return result
