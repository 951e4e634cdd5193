"""Brian2 code for the membrane noise of one time step.

In a step of length h the noise of a linear membrane has the variance S^2 = sigma^2 (1 - exp(-2 h / tau)), 2 sigma^2 h / tau without
leak. With conductances, the gain of the step `share` = L exprel(-L load), L = h / tau (`lapse`), and S^2 = 2 sigma^2 L exprel(-2 L
load) are computed in each step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import special, units
from ...core.errors import NsnnError
from ...models.escape import EscapeNoise
from ...models.noise import (
    ConductanceNoise,
    MultiplicativeNoise,
    Noise,
    OUNoise,
    PoissonInput,
    PoissonNoise,
    ThresholdNoise,
    WhiteNoise,
)
from .. import engine, philox
from ..philox import Stream
from .group_text import GroupText, Terms, either, substitute
from .synapses import add_synapses, increments, names_of

_NEVER = 1e30  # replaces 1/0 in the bridge of a neuron without noise: the probability underflows to 0, also in single precision
_MOST_JUMPS = 500
_MOST_INPUTS = 100  # streams of random numbers end at 127
SMOOTH = 10.0  # correlation time in steps above which OU noise is smooth enough to test the threshold at grid points
PIECES = 5  # pieces per correlation time, if it is shorter; the path in a piece is a cubic
_FAR = 3.5  # standard deviations of the end of a step: seven of the middle of a path with both ends given


def is_silent(noise: Noise | None) -> bool:
    """Whether there is no noise, or diffusive noise with sigma = 0 for every neuron."""
    match noise:
        case None:
            return True
        case WhiteNoise() | OUNoise() | MultiplicativeNoise():
            return not np.any(np.asarray(noise.si("sigma")) > 0) and not weighted(noise)
        case _:
            return False


def weighted(noise: Noise | None) -> bool:
    """Whether the variance of the noise depends on the drive."""
    return isinstance(noise, WhiteNoise) and noise.weighted


def add_noise(terms: Terms, noise: Noise | None) -> bool:
    """Add the text of the noise to `terms`. Returns whether it sets `bridge_steep`."""
    if is_silent(noise):
        return False
    match noise:
        case WhiteNoise() | MultiplicativeNoise():
            _white(terms, noise)
            return terms.bridge
        case OUNoise():
            _ou(terms, noise)
        case ConductanceNoise():
            _conductances(terms, noise)
        case PoissonNoise():
            _poisson(terms, noise)
        case PoissonInput():
            _inputs(terms, noise)
        case EscapeNoise() | ThresholdNoise():
            pass  # at the threshold, not in the membrane
        case _:
            raise NsnnError(
                f"noise = {type(noise).__name__}(...): it has no equations for a membrane; expected a noise model of this package"
            )
    return False


def shared_fraction(noise: WhiteNoise | OUNoise) -> float:
    """The shared fraction of the variance of the noise: one number per population."""
    fraction = noise.si("shared")
    if np.ndim(fraction):
        raise NsnnError(f"shared has shape {np.shape(fraction)}: expected one number")
    return float(fraction)


def _mixed(private: str, common: str, fraction: float, group: GroupText) -> str:
    """Text of a standard normal with this fraction of its variance from `common`, the rest from `private`."""
    group.bind("noise_common", np.sqrt(fraction), "1")
    group.bind("noise_private", np.sqrt(1 - fraction), "1")
    return f"(noise_common * {common} + noise_private * {private})"


def _shared(kind_private: Stream, kind_shared: Stream, noise: WhiteNoise | OUNoise, group: GroupText) -> str:
    """Text of a standard normal with the fraction `noise.shared` of its variance common to the neurons of a trial."""
    fraction = shared_fraction(noise)
    if fraction == 0:
        return group.draw("normal", kind_private)
    if fraction == 1:
        return group.draw("normal", kind_shared, neuron="-1")
    private, common = group.draw("normal", kind_private), group.draw("normal", kind_shared, neuron="-1")
    return _mixed(private, common, fraction, group)


def bridge_uniform(group: GroupText, fraction: float) -> str:
    """Text of the uniform number that decides about a crossing within a step: Phi(sqrt(c) z_common + sqrt(1 - c) z_private).

    z_common is the same for all neurons of a population in a trial and step, so that neurons with shared noise also share crossings
    between grid points. The number is uniform for every c; here 0 < c < 1.
    """
    private = engine.draw("normal", Stream.BRIDGE)
    common = engine.draw("normal", Stream.SHARED_BRIDGE, neuron="-1")
    return f"normal_cdf({_mixed(private, common, fraction, group)})"


def _white(terms: Terms, noise: WhiteNoise | MultiplicativeNoise) -> None:
    """`kick` = S z, times the amplitude b(V) and with Milstein's term where the noise is multiplicative; and `bridge_steep`.

    Where the variance depends on the drive, S is that of sigma = 1, and its root `noise_now` multiplies it."""
    group, neuron = terms.group, terms.neuron
    tau, sigma = np.asarray(neuron.si("tau_m")), np.asarray(noise.si("sigma"))
    multiplicative = isinstance(noise, MultiplicativeNoise)
    driven = weighted(noise)
    unit = "1" if multiplicative or driven else neuron.membrane_unit
    if driven:
        group.bind("noise_own", sigma, neuron.membrane_unit)
        group.bind("noise_weight", noise.si("weight"), neuron.membrane_unit)
        group.bind("noise_least_now", 1 / _NEVER, neuron.membrane_unit)
        terms.lines += ["noise_variance = noise_own**2 + 0.5 * noise_weight * drive"]
        terms.lines += ["noise_now = sqrt(0.5 * (noise_variance + abs(noise_variance)))"]
        sigma = np.asarray(1.0)
    inverse = {"V": "1/V", "1": "1"}
    if terms.loaded:
        group.bind("noise_sigma", sigma, unit)
        group.bind("noise_least", 1 / _NEVER, unit)
        terms.lines += ["step_sd_now = noise_sigma * sqrt(2 * lapse * exprel(-2 * lapse * load))"]
        spread, steep = "step_sd_now", "sqrt(2) / (step_sd_now + noise_least)"
    else:
        for suffix, length in (("", 1.0), ("_part", terms.h)):
            lapse = length * group.layout.dt / tau
            sd = sigma * np.sqrt(-np.expm1(-2 * lapse) if neuron.leaky else 2 * lapse)
            group.bind("step_sd" + suffix, sd, unit)
            if terms.bridge:
                with np.errstate(divide="ignore"):
                    group.bind("steep" + suffix, np.where(sd > 0, np.sqrt(2) / sd, _NEVER), inverse[unit])
        spread, steep = either("step_sd"), either("steep")
    if driven:
        spread, steep = f"noise_now * ({spread})", f"({steep}) / (noise_now + noise_least_now)"
    if isinstance(noise, MultiplicativeNoise):
        names = group.bind_parameters(noise, "noise_") | {"v": "v"}
        b, slope = (f"({substitute(text, names)})" for text in (noise.amplitude, noise.slope))
        chance = group.draw("normal", Stream.MEMBRANE)
        square = "noise_z**2" if noise.calculus == "stratonovich" else "(noise_z**2 - 1)"
        terms.lines += [f"noise_z = {chance}", f"noise_sd = {spread}", f"noise_b = {b}"]
        terms.lines += [f"kick = noise_b * (noise_sd * noise_z + 0.5 * {slope} * noise_sd**2 * {square})"]
        if terms.bridge:
            group.bind("noise_least_b", 1 / _NEVER, neuron.membrane_unit)
            # distances to threshold in units of the noise, int dV / b(V), by the midpoint rule, from both ends of the step
            halfway = [f"(0.5 * ({end} + {terms.level}))" for end in ("v", "moved")]
            ends = [substitute(noise.amplitude, names | {"v": middle}) for middle in halfway]
            terms.moved += [f"noise_b_{k} = abs({text}) + noise_least_b" for k, text in enumerate(ends)]
            terms.moved += [f"bridge_steep = ({steep}) / sqrt(noise_b_0 * noise_b_1)"]
    else:
        terms.lines += [f"kick = ({spread}) * {_shared(Stream.MEMBRANE, Stream.SHARED, noise, group)}"]
        if terms.bridge:
            terms.lines += [f"bridge_steep = {steep}"]
    terms.kicks.append("kick")


def _ou(terms: Terms, noise: OUNoise) -> None:
    """Set `kick`: the exact step of a linear membrane and the current; with conductances the mean of the current over the step.

    A correlation time below `SMOOTH` steps is `short`: with the bridge the path within the step is also tested (`_passage`), and
    the partial step starts from the current at the release of the membrane.
    """
    group, neuron, h, loaded = terms.group, terms.neuron, terms.h, terms.loaded
    dt, unit, tau = group.layout.dt, neuron.membrane_unit, np.asarray(neuron.si("tau_m"))
    sigma, tau_noise = np.asarray(noise.si("sigma")), np.asarray(noise.si("tau_noise"))
    short = tau_noise < SMOOTH * dt
    sigma_i = sigma * np.sqrt(1 + tau / tau_noise)
    fraction, common = noise.si("shared"), start_normal(group, Stream.SHARED_OU_START, shared=True)
    start = np.sqrt(fraction) * common + np.sqrt(1 - fraction) * start_normal(group, Stream.OU_START)
    group.state("i_noise", unit, start * group.layout.of_members(sigma_i))  # stationary
    terms.lines.append(f"z_i = {_shared(Stream.OU_CURRENT, Stream.SHARED_OU_CURRENT, noise, group)}")
    # time of the current before the membrane moves
    waits = np.where(short, np.where(h > 1, 1.5 - h, 1 - h), 0.0)
    lasts = np.where(short, waits + h, 1.0)
    for suffix, wait, length, last in (("", 0.0, 1.0, 1.0), ("_part", waits, h, lasts)):
        pull, root = ou_step(length * dt, tau, tau_noise, sigma, neuron.leaky and not loaded, wait=wait * dt)
        if loaded:  # the mean of the current over the step
            pull, root = pull * tau / (length * dt), {k: v * tau / (length * dt) for k, v in root.items()}
        keep = np.exp(-last * dt / tau_noise)
        root["root_ii"] = sigma_i * np.sqrt(-np.expm1(-2 * last * dt / tau_noise))
        if loaded:
            pull = np.where(short, pull, 0.5 * (1 + keep))
            root["root_vi"] = np.where(short, root["root_vi"], 0.5 * root["root_ii"])
            root["root_vv"] = np.where(short, root["root_vv"], 0.0)
        group.bind("keep" + suffix, keep, "1")
        group.bind("pull" + suffix, pull, "1")
        for name, value in root.items():
            group.bind(name + suffix, value, unit)
    part = either if np.any(short) else lambda name: name
    terms.lines.append(f"i_next = ({part('keep')}) * i_noise + ({part('root_ii')}) * z_i")
    if loaded and not np.any(short):
        terms.lines.append("kick = 0.5 * (i_noise + i_next) * share")
    else:
        terms.lines += [
            f"z_v = {_shared(Stream.MEMBRANE, Stream.SHARED, noise, group)}",
            f"kick = (i_noise * ({either('pull')}) + ({either('root_vi')}) * z_i + ({either('root_vv')}) * z_v)"
            + (" * share" if loaded else ""),
        ]
    terms.kicks.append("kick")
    if terms.bridge and np.any(short):
        _passage(terms, noise, np.where(short, np.ceil(PIECES * dt / tau_noise), 0))
        # if released before the next grid point, the current continues from its value at the spike
        group.bind("restart", np.where(short & (h > 1), 1.0, 0.0), "1")
        terms.reset.append("i_noise = i_noise + restart * (i_spike - i_noise)")
    terms.last.append("i_noise = i_next")


def _passage(terms: Terms, noise: OUNoise, pieces: np.ndarray) -> None:
    """Set `passed`, whether the path within a step reaches the threshold, and `i_spike`, the current at that time.

    The partial step after the refractory time is tested at its end only.
    """
    group, neuron = terms.group, terms.neuron
    dt, unit, tau = group.layout.dt, neuron.membrane_unit, np.asarray(neuron.si("tau_m"))
    sigma, tau_noise = np.asarray(noise.si("sigma")), np.asarray(noise.si("tau_noise"))
    if np.any(pieces > philox.MOST_PIECES):
        most = philox.MOST_PIECES / PIECES
        raise NsnnError(
            f"tau_noise = {1e3 * tau_noise.min():g} ms with dt = {1e3 * dt:g} ms: expected at least dt / {most:.0f}, "
            f"{1e3 * dt / most:.2g} ms; use a smaller dt, WhiteNoise (the limit of short correlations), or "
            "bridge=False (the threshold is tested at grid points only)"
        )
    length = dt / np.maximum(pieces, 1)
    pull, root = ou_step(length, tau, tau_noise, sigma, neuron.leaky)
    full, whole = ou_step(dt, tau, tau_noise, sigma, neuron.leaky)
    constants = {
        "keep": np.exp(-length / tau_noise),
        "ebb": np.exp(-length / tau) if neuron.leaky else np.ones_like(length / tau),
        "pull": pull,
        "lapse": length / tau,
        **root,
        "far": _FAR * whole["root_vv"],
        "full": full,
    }
    group.bind("one_unit", 1.0, unit)
    group.bind("path_pieces", pieces, "1")
    for name, value in constants.items():
        group.bind(f"path_{name}", value, "1")
    fraction = shared_fraction(noise)
    path = ["(moved - v - kick)", "kick", "i_noise", "i_next", *[f"({terms.level} - v)"] * 2]
    call = engine.draw(
        "passage",
        Stream.CURRENT_PATH,
        repr(float(Stream.SHARED_CURRENT_PATH)),
        *(f"{text} / one_unit" for text in path),
        "path_pieces * free * (1 - part)",
        *(f"path_{name}" for name in constants),
        repr(float(np.sqrt(fraction))),
        repr(float(np.sqrt(1 - fraction))),
    )
    group.state("passed", "integer", 0)
    group.state("i_spike", unit)
    terms.moved += [
        f"first = {call}",
        f"passed = int(first < {philox.NEVER / 2:g})",
        "i_spike = i_next + passed * (one_unit * first - i_next)",
    ]
    terms.crossed.append("passed > 0")


def start_normal(group: GroupText, stream: Stream, shared: bool = False) -> np.ndarray:
    """Standard normals for time 0, shape (size,)."""
    neuron, trial, point = (group.initial[f"noise_{word}"] for word in ("neuron", "trial", "point"))
    return philox.normal(0, -1 if shared else neuron, trial, point, stream, *group.layout.key)


def ou_step(
    h: Any, tau: Any, tau_noise: Any, sigma: Any, leaky: bool = True, *, wait: Any = 0.0
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The exact step of tau dV = (I - V) dt (tau dV = I dt without leak), tau_noise dI = -I dt + noise, over a time h.

    V is constant for a time `wait` before. Returns the weight of I in the new V and the Cholesky factor of the covariance of the
    step, in the order (I, V): root_ii, root_vi, root_vv. With a leak the covariance is P - A P A^T, which conserves the stationary
    covariance P.
    """
    a, e = np.exp(-h / tau_noise), np.exp(-h / tau)
    p_ii = sigma**2 * (1 + tau / tau_noise)
    q_ii = p_ii * -np.expm1(-2 * h / tau_noise)
    if leaky:
        pull = h / tau * e * special.exprel(h / tau - h / tau_noise)
        p_vi, p_vv = p_ii * tau_noise / (tau_noise + tau), sigma**2
        q_vi = p_vi - a * (pull * p_ii + e * p_vi)
        q_vv = p_vv - (e**2 * p_vv + 2 * e * pull * p_vi + pull**2 * p_ii)
    else:
        ratio = tau_noise / tau
        pull = ratio * -np.expm1(-h / tau_noise)
        q_vi = p_ii * ratio * (1 - a) ** 2
        q_vv = p_ii * ratio**2 * (2 * h / tau_noise - 3 + 4 * a - a**2)
    if np.any(wait):
        before = p_ii * -np.expm1(-2 * wait / tau_noise)  # of I when V begins to move
        q_vi, q_vv = q_vi + pull * a * before, q_vv + pull**2 * before
        q_ii, pull = q_ii + a**2 * before, pull * np.exp(-wait / tau_noise)
    with np.errstate(invalid="ignore", divide="ignore"):
        root_ii = np.sqrt(q_ii)
        root_vi = np.where(root_ii > 0, q_vi / root_ii, 0.0)
        root_vv = np.sqrt(np.maximum(q_vv - root_vi**2, 0.0))
    return pull, {"root_ii": root_ii, "root_vi": root_vi, "root_vv": root_vv}


def _conductances(terms: Terms, noise: ConductanceNoise) -> None:
    """Two OU conductances with exact steps; the membrane sees the mean of their values at both ends of a step."""
    group, layout, dt = terms.group, terms.group.layout, terms.group.layout.dt
    for kind, stream, start in (
        ("e", Stream.CONDUCTANCE_E, Stream.CONDUCTANCE_E_START),
        ("i", Stream.CONDUCTANCE_I, Stream.CONDUCTANCE_I_START),
    ):
        mean, sd, tau = (np.asarray(noise.si(f"{name}_{kind}")) for name in ("g", "sigma", "tau"))
        group.bind(f"noise_mean_{kind}", mean, "1")
        group.bind(f"noise_keep_{kind}", np.exp(-dt / tau), "1")
        group.bind(f"noise_root_{kind}", sd * np.sqrt(-np.expm1(-2 * dt / tau)), "1")
        group.bind(f"noise_rev_{kind}", noise.si(f"e_rev_{kind}"), noise.unit(f"e_rev_{kind}"))
        begin = layout.of_members(sd) * start_normal(group, start)
        group.state(f"noise_g_{kind}", "1", layout.of_members(mean) + begin)
        terms.first += [
            f"next_{kind} = noise_mean_{kind} + noise_keep_{kind} * (noise_g_{kind} - noise_mean_{kind})"
            f" + noise_root_{kind} * {engine.draw('normal', stream)}",
            f"seen_{kind} = 0.5 * (noise_g_{kind} + next_{kind})",
        ]
        terms.conductances.append((f"seen_{kind}", f"noise_rev_{kind}"))
        terms.last.append(f"noise_g_{kind} = next_{kind}")


def _poisson(terms: Terms, noise: PoissonNoise) -> None:
    """The sum of the jumps of a step, with the mean decay after a uniform time in the step.

    In the partial step after the refractory time their number is that for its length. With the bridge also `top`, the
    condition that the path of the membrane in the step reaches the threshold, and the states that it needs.
    """
    group, neuron, lengths = terms.group, terms.neuron, (("", 1.0), ("_part", terms.h))
    tau, unit, one = np.asarray(neuron.si("tau_m")), neuron.membrane_unit, "1"
    group.bind("one_unit", 1.0, unit)
    path, total = [], []
    kinds = ("rate", "weight", Stream.POISSON), ("rate_inh", "weight_inh", Stream.POISSON_INH)
    for rate, weight, stream in kinds:
        mean = _jumps_in_a_step(noise, rate, group.layout.dt)
        group.bind(f"noise_{weight}", noise.si(weight), one)
        count = f"jumps_{int(stream)}"
        group.state(count, one, 0.0)
        path.append((count, f"noise_{weight}"))
        total.append(f"noise_{weight} * {count}")
        if not np.any(mean > 0):
            continue
        for suffix, length in lengths:
            group.bind(f"noise_{rate}{suffix}", mean * length, one)
            group.bind(f"noise_none_{rate}{suffix}", np.exp(-mean * length), one)
        chances = f"{either(f'noise_{rate}')}, {either(f'noise_none_{rate}')}"
        group.counts.append(f"{count} = jumps_of({group.draw('uniform', stream)}, {chances})")
    left = "exprel(-lapse * load)" if terms.loaded else f"({either('noise_left')})"
    if not terms.loaded:
        for suffix, length in lengths:
            lapse = length * group.layout.dt / tau * neuron.leaky
            group.bind(f"noise_left{suffix}", special.exprel(-lapse), one)
    terms.jumps.append(f"one_unit * {left} * ({' + '.join(total)})")
    if terms.bridge:
        group.state("way", one)
        group.state("near_top", "integer", 0)
        room = f"({terms.level} - v) / one_unit"
        # no path is higher than all that leads upwards; the few that may reach the threshold are drawn when it is tested
        upwards = " + ".join(["0.5 * (way + abs(way))", *(f"0.5 * ({w} + abs({w})) * {n}" for n, w in path)])
        terms.moved += ["way = (moved - v) / one_unit", f"near_top = int({upwards} >= {room}) * free"]
        further = [text for pair in path for text in pair] + ["way", room.replace("- v)", "- v_prev)")]
        highest = engine.draw("summit", Stream.POISSON_ORDER, *further)
        terms.top = f"near_top > 0 and v_prev + one_unit * {highest} > {terms.level}"


def _jumps_in_a_step(noise: PoissonNoise | PoissonInput, rate: str, dt: float, n: int = 1) -> np.ndarray:
    """The mean number of jumps in a step."""
    mean = n * np.asarray(noise.si(rate)) * dt
    if np.any(mean * 1.5 > _MOST_JUMPS):
        raise NsnnError(
            f"{rate} = {getattr(noise, rate)}{f' of n = {n} sources' if n > 1 else ''}: expected at most {_MOST_JUMPS} jumps in a "
            "step and a half"
        )
    return mean


def _inputs(terms: Terms, noise: PoissonInput) -> None:
    """Poisson numbers of spikes at the end of each step, added to the states of synapses; jumps of the membrane as `_poisson`."""
    group, unit = terms.group, terms.neuron.membrane_unit
    if len(noise.inputs) > _MOST_INPUTS:
        raise NsnnError(f"noise has {len(noise.inputs)} inputs: expected at most {_MOST_INPUTS}")
    if jumps := [one for one in noise.inputs if one.jumps]:
        _poisson(terms, _as_noise(jumps, unit))
    for stream, one in enumerate(noise.inputs, Stream.INPUT):
        if one.jumps:
            continue
        number, count = terms.synapses, f"jumps_{stream}"
        add_synapses(terms, [one.synapse])
        mean = _jumps_in_a_step(one, "rate", group.layout.dt, one.n)
        if not np.any(mean > 0):
            continue
        group.state(count, "1", 0.0)
        group.bind(f"{count}_mean", mean, "1")
        group.bind(f"{count}_none", np.exp(-mean), "1")
        drawn = group.draw("uniform", stream)
        group.counts.append(f"{count} = jumps_of({drawn}, {count}_mean, {count}_none)")
        names, weight_unit = names_of(one.synapse, number), one.synapse.weight_unit(unit)
        for target, amount in increments(one.synapse, one.si("weight"), slice(None)).items():
            group.bind(f"{names[target]}_jump", amount, weight_unit)
            terms.last.append(f"{names[target]} = {names[target]} + {names[target]}_jump * {count}")


def _as_noise(jumps: list[PoissonInput], unit: str) -> PoissonNoise:
    """One or two inputs of jumps as the noise that they are."""
    if len(jumps) > 2:
        raise NsnnError(
            f"noise has {len(jumps)} inputs through a {type(jumps[-1].synapse).__name__}, whose jumps are ordered within the step: "
            "expected at most two; add rates of equal weights, or use ExponentialSynapse"
        )
    given = {}
    for one, kind in zip(jumps, ("", "_inh"), strict=False):
        jump = increments(one.synapse, one.si("weight"), slice(None))["v"]
        given["rate" + kind] = units.brian(one.n * np.asarray(one.si("rate")), "Hz")
        given["weight" + kind] = jump if unit == "1" else units.brian(jump, unit)
    return PoissonNoise(**given)
