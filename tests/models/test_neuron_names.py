"""Parameters whose names the simulation or Brian2 uses itself are refused when the neuron is created."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest
from brian2 import Hz, ms, mV
from helpers.refusals import assert_refused

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, parameter
from nsnn_neuro.brian.equations import group_text
from nsnn_neuro.models.neurons.names import meaning

BASE = {"tau_m": ("s", 10 * ms), "tau_refrac": ("s", 1 * ms)} | {
    name: ("V", value * mV) for name, value in {"v_rest": 0, "v_reset": 0, "v_thresh": 10}.items()
}


def with_parameter(name: str, **texts: Any) -> Any:
    declared = BASE | {name: ("s", 10 * ms) if name == "tau_w" else ("V", 1 * mV)}
    fields = {name: parameter(unit) for name, (unit, _) in declared.items()}
    kind = type(
        "Mine", (nsnn.IntegrateAndFire,), {"__annotations__": dict.fromkeys(fields, Any), **fields, **texts}
    )
    kind = dataclasses.dataclass(frozen=True, eq=False, kw_only=True)(kind)
    return kind(**{name: value for name, (_, value) in declared.items()})


def test_a_parameter_with_a_taken_name_is_refused() -> None:
    rows = [
        ("i", "Brian2 uses in each group of neurons: expected another name, such as 'own_i'"),
        ("xi", "which Brian2 uses"),
        ("exp", "a function of Brian2"),
        ("e", "a constant"),
        ("mV", "a unit"),
        ("drive", "which every neuron has: v is the membrane, drive the stimulus"),
        ("moved", "a name of the generated code"),
        ("events", "an attribute of Brian2's groups"),
        ("threshold", "the name of a text or method of every neuron"),
        ("unit", "the name of a text or method"),
    ]
    assert_refused(
        (lambda name=name: with_parameter(name), f"Mine has the parameter '{name}'", told)
        for name, told in rows
    )
    half: Any = {"slow": {"w": ("tau_m", "0")}}
    told = "a name of the generated code"
    assert_refused([(lambda: with_parameter("half_w", **half), "Mine has the parameter 'half_w'", told)])
    for table in (None, ("w", "tau_m", "v")):
        told = "a dict from names to pairs of texts"
        assert_refused([(lambda table=table: with_parameter("b", slow=table), "Mine.slow = ", told)])


def test_other_names_are_free() -> None:
    names = "g e_k I mean g_e tau_d noise shift_v half_life noise_gain stim_gain path_length j name clock active lastspike"
    assert [with_parameter(name).unit(name) for name in names.split()] == ["V"] * 17


def test_every_name_of_the_generated_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A neuron's parameter of such a name would replace it, or be replaced by it, without an error."""

    class Made(Exception):
        pass

    seen: set[str] = set()

    def make(self: Any, threshold: str, reset: str, update: str) -> Any:
        lines = [threshold, reset, update, *self.equations, *self.ahead, *self.counts]
        texts = "\n".join(re.sub(r"\s+(?:#|:).*", "", line) for text in lines for line in text.splitlines())
        seen.update(self.namespace, self.initial, re.findall(r"(?<![\w.])[A-Za-z_]\w*", texts))
        raise Made

    monkeypatch.setattr(group_text.GroupText, "make", make)

    slow = with_parameter(
        "tau_w", linear="v_rest + drive - v - w", nonlinear="0.1 * v", moving="w",
        slow={"w": ("tau_w", "0.1 * v + 0.1 * drive")},
    )  # fmt: skip
    background = nsnn.ConductanceNoise(
        g_e=0.3, sigma_e=0.1, tau_e=3 * ms, e_rev_e=60 * mV, g_i=0.2, sigma_i=0.1, tau_i=9 * ms, e_rev_i=0 * mV
    )  # fmt: skip
    noises = [
        nsnn.WhiteNoise(1 * mV, shared=0.5), nsnn.WhiteNoise(1 * mV, weight=1 * mV), nsnn.OUNoise(1 * mV, 5 * ms),
        nsnn.OUNoise(1 * mV, 0.5 * ms), background,
        nsnn.MultiplicativeNoise(0.1, -10 * mV, calculus="ito"),
        nsnn.PoissonNoise(600 * Hz, 1 * mV, rate_inh=100 * Hz, weight_inh=-1 * mV),
        nsnn.PoissonInput(600 * Hz, 1 * mV, synapse=nsnn.AlphaSynapse(5 * ms)),
    ]  # fmt: skip
    sharp = [
        nsnn.ThresholdNoise(1 * mV), nsnn.EscapeNoise(nsnn.Gaussian(1 * mV)),
        nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(10 * Hz, 1 * mV)),
    ]  # fmt: skip
    lif = nsnn.LIF(tau_m=10 * ms, tau_refrac=1 * ms, v_rest=0 * mV, v_reset=0 * mV, v_thresh=10 * mV)
    # names made of the parameters of models that are not among the examples
    models: dict[str, list[Any]] = {
        "stim": [nsnn.Constant, nsnn.Step, nsnn.Sinusoid],
        "noise": [nsnn.WhiteNoise, nsnn.MultiplicativeNoise],
        "escape": [
            nsnn.Gaussian, nsnn.Logistic, nsnn.Uniform, nsnn.Triangular, nsnn.Cauchy, nsnn.FastSigmoid,
            nsnn.ExponentialHazard, nsnn.GaussianHazard, nsnn.PlesserGerstner,
        ],
    }  # fmt: skip
    seen |= {
        f"{prefix}_{f.name}"
        for prefix, kinds in models.items()
        for kind in kinds
        for f in kind.parameter_fields()
    }
    cells = [(slow, noise, 1) for noise in noises] + [(lif, noise, 1) for noise in sharp]
    cells += [(slow, noises[0], 2000), (nsnn.WangBuzsaki(), noises[0], 1)]
    for cell, noise, n in cells:
        with pytest.raises(Made):
            nsnn.simulate(
                cell, noise, nsnn.Constant(8 * mV), n_neurons=n, duration=10 * ms, seed=1, engine="numpy"
            )
    own = {"w", "h", "n", "na", "k", "int", "and", "or"}
    own |= {f.name for cell in (cells[0][0], cells[-1][0]) for f in cell.parameter_fields()}
    # refused if the neuron has w, h, ...
    of_own = re.compile("(relax|half|back|here|near|far|opening|both)_(w|h|n|na|k)")
    free = [name for name in seen - own if not meaning(name) and not of_own.fullmatch(name)]
    assert not free, " ".join(sorted(free))


def test_names_of_brian2_that_are_free_give_the_same_spikes() -> None:
    """A clock with a value for each neuron, which is then a variable of the group; and j, also an index of synapses."""

    def spikes(name: str, state: str) -> list[list[float]]:
        texts: Any = {"linear": f"v_rest + drive - v - {state}", "after_spike": f"{state} += {name}"}
        cell = with_parameter(name, **texts, slow={state: ("tau_m", "0*mV")})
        cell = dataclasses.replace(cell, **{name: np.linspace(0, 4, 5) * mV})
        cells = nsnn.Population(
            5, cell, name="cells", noise=nsnn.WhiteNoise(2 * mV), stimulus=nsnn.Constant(14 * mV)
        )
        net = nsnn.Network([cells], [nsnn.Projection(cells, cells, rule=nsnn.AllToAll(), weight=1 * mV)])
        block = nsnn.simulate(net, duration=20 * ms, seed=1, engine="numpy")
        return [train.magnitude.tolist() for train in block.segments[0].spiketrains]

    found = spikes("clock", "j")
    assert found == spikes("gain", "w")
    assert sum(map(len, found)) > 5


def test_a_parameter_and_one_of_a_noise_of_ones_own_with_one_name_are_refused() -> None:
    @dataclasses.dataclass(frozen=True, eq=False)
    class Gained(nsnn.WhiteNoise):
        gain: Any = parameter("1", default=2.0)

    group = group_text.GroupText(group_text.Layout(1, 1, 1e-4, 1, (0, 0)))
    group.bind_parameters(with_parameter("noise_gain"))
    with pytest.raises(NsnnError, match=r"Mine.noise_gain and Gained.gain are both called 'noise_gain'"):
        group.bind_parameters(Gained(1 * mV), "noise_")
