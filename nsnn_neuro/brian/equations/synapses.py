"""Brian2 code for synaptic input: exact update of the synaptic states, and their effect on the membrane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from brian2.parsing.sympytools import str_to_sympy
from sympy import Symbol, lambdify

from ...core.errors import NsnnError
from ...models.synapses import Synapse
from .group_text import GroupText, Terms, either, substitute


def names_of(synapse: Synapse, number: int) -> dict[str, str]:
    """Names of the states of synapse type `number` of a population in its group."""
    return {name: f"syn{number}_{name}" for name in synapse.states}


def linear(text: str, synapse: Synapse) -> list[Any]:
    """Coefficients of the states in a text that is linear in them: SI numbers, or arrays if parameters are arrays."""
    expression = str_to_sympy(text)
    states = [Symbol(name, real=True) for name in synapse.states]
    values = {f.name: synapse.si(f.name) for f in synapse.parameter_fields()}
    known = [Symbol(name, real=True) for name in values]
    slopes = [expression.diff(x) for x in states]
    rest = (expression - sum(a * x for a, x in zip(slopes, states, strict=True))).simplify()
    free = set().union(*(a.free_symbols for a in slopes))
    if rest != 0 or not free <= set(known):
        raise NsnnError(
            f"{type(synapse).__name__}: {text!r} is expected to be linear in the states {list(synapse.states)}, with numbers and "
            f"parameters {list(values)} as factors"
        )
    return [lambdify(known, a, "numpy")(*values.values()) for a in slopes]


def increments(synapse: Synapse, weight: Any, post: np.ndarray | slice) -> dict[str, Any]:
    """What a spike adds to each state and to the membrane, "v", in SI: numbers, or arrays with a value for each synapse.

    weight : SI number, or (n_synapses,)
    post : the postsynaptic neuron of each synapse, or a slice of all
    """
    values = {"weight": weight}
    for field in synapse.parameter_fields():
        value = np.asarray(synapse.si(field.name))
        values[field.name] = value[post] if value.ndim else float(value)
    symbols = [Symbol(name, real=True) for name in values]
    return {
        target: lambdify(symbols, str_to_sympy(text), "numpy")(*values.values())
        for target, text in synapse.on_arrival.items()
    }


def _expm(matrices: np.ndarray) -> np.ndarray:
    from scipy.linalg import expm  # its import takes 0.1 s

    return np.asarray(expm(matrices))


def _stack(rows: list[list[Any]]) -> np.ndarray:
    """A matrix of numbers and arrays (n,) as an array (..., rows, columns)."""
    flat = np.broadcast_arrays(*[np.asarray(x, dtype=float) for row in rows for x in row])
    return np.stack(flat, axis=-1).reshape(*flat[0].shape, len(rows), len(rows[0]))


def add_synapses(terms: Terms, synapses: Sequence[Synapse]) -> None:
    """Add the states of each synapse, their exact step and their effect on the membrane.

    The effect is the exact integral of a current over the step or, with conductances, the mean over the step."""
    group, neuron = terms.group, terms.neuron
    unit, dt, tau = neuron.membrane_unit, group.layout.dt, np.asarray(neuron.si("tau_m"))
    for number, synapse in enumerate(synapses, terms.synapses):
        terms.synapses += 1
        if not synapse.states:
            continue
        names = names_of(synapse, number)
        states = list(synapse.states)
        drift = _stack([linear(synapse.states[x], synapse) for x in states])
        keep = _expm(drift * dt)
        sees = _stack([linear(synapse.conductance or synapse.current or "", synapse)])
        for x in states:
            group.state(names[x], synapse.weight_unit(unit), 0.0)
        if synapse.conductance or terms.loaded:
            joint = _joint(drift, sees[..., 0, :], sees.shape[:-2])
            mean = _expm(joint * dt)[..., -1, :-1] / dt  # of the output: (1/dt) int_0^dt sees exp(drift s) ds
            text = _weighted(group, f"mean_syn{number}", mean, names)
            terms.first.append(f"seen_syn{number} = {text}")
            if synapse.conductance and synapse.reversal:
                reversal = f"syn{number}_{synapse.reversal}"
                group.bind(reversal, synapse.si(synapse.reversal), synapse.unit(synapse.reversal))
                terms.conductances.append((f"seen_syn{number}", reversal))
            else:
                terms.kicks.append(f"seen_syn{number} * share")
        else:
            for suffix, length in (("", 1.0), ("_part", terms.h)):
                pull = _pull(drift, sees, length * dt, tau, neuron.leaky)
                for k, x in enumerate(states):
                    group.bind(f"pull_{names[x]}{suffix}", pull[..., k], "1")
            pulls = " + ".join(f"({either('pull_' + names[x])}) * {names[x]}" for x in states)
            terms.lines.append(f"kick_syn{number} = {pulls}")
            terms.kicks.append(f"kick_syn{number}")
        for k, x in enumerate(states):
            text = _weighted(group, f"keep_{names[x]}", keep[..., k, :], names)
            terms.last.append(f"next_{names[x]} = {text}")
        terms.last += [f"{names[x]} = next_{names[x]}" for x in states]


def _weighted(group: GroupText, prefix: str, weights: np.ndarray, names: dict[str, str]) -> str:
    parts = []
    for k, x in enumerate(names):
        if np.any(weights[..., k]):
            group.bind(f"{prefix}_{x}", weights[..., k], "1")
            parts.append(f"{prefix}_{x} * {names[x]}")
    return " + ".join(parts)


def _pull(drift: np.ndarray, sees: np.ndarray, h: Any, tau: np.ndarray, leaky: bool) -> np.ndarray:
    """Weights of the states in the voltage of a linear membrane after a time h: tau dV/dt = -V + sees x, dx/dt = drift x."""
    h, tau = np.asarray(h), np.asarray(tau)
    joint = _joint(drift, sees[..., 0, :] / tau[..., None], sees.shape[:-2], h.shape, tau.shape)
    joint[..., -1, -1] = -1 / tau if leaky else 0.0
    return _expm(joint * h[..., None, None])[..., -1, :-1]


def _joint(drift: np.ndarray, sees: np.ndarray, *shapes: tuple[int, ...]) -> np.ndarray:
    """The drift of the states and, in a last row, of the variable that sees them; batches broadcast with `shapes`."""
    size = drift.shape[-1]
    joint = np.zeros((*np.broadcast_shapes(drift.shape[:-2], *shapes), size + 1, size + 1))
    joint[..., :size, :size] = drift
    joint[..., size, :size] = sees
    return joint


def arrival(synapse: Synapse, number: int, membrane: str, names: dict[str, str]) -> list[str]:
    """Lines that run when a spike arrives; `names` are the names of weight and parameters in the Brian2 synapse.

    A refractory membrane ignores jumps.
    """
    states = names_of(synapse, number)
    lines = []
    for target, amount in synapse.on_arrival.items():
        text = substitute(amount, names)
        if target != "v":
            lines.append(f"{states[target]}_post += {text}")
        elif membrane == "v":
            lines.append(f"v_post += ({text}) * free_post")
        else:
            lines.append(f"{membrane}_post += {text}")
    return lines
