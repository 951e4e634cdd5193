"""What the sliders set: a neuron, a noise, a drive and a run, as models, and as Python and TOML that give the same spikes.

Numbers are those of the texts, in ms, mV and Hz with 12 digits, so that a state and its texts cannot differ by rounding.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..certify.cases import NEURON
from ..core import units
from ..core.checks import positive, whole
from ..core.errors import NsnnError
from ..core.parameters import Model
from ..models.compatibility import check_compatible
from ..models.escape import EscapeNoise, ExponentialHazard
from ..models.neurons import EIF, LIF, PIF, QIF, AdEx, IntegrateAndFire
from ..models.noise import Noise, OUNoise, PoissonNoise, ThresholdNoise, WhiteNoise
from ..models.stimuli import Constant

_SHOWN = {"s": ("ms", 1e-3), "V": ("mV", 1e-3), "Hz": ("Hz", 1.0), "1": ("", 1.0)}
MOST_STEPS = 6e7  # Neurons times trials times steps: about a second of C++
POINTS = 13  # Drives of the simulated f-I curve
_TRAINS = 40  # at least, at each of them


def symbol(unit: str) -> str:
    """The unit in which a number is shown: "mV" for "V"."""
    return _SHOWN[unit][0]


def quantity(number: Any, unit: str) -> Any:
    """Numbers in the shown unit as a quantity, equal to that of the command line's reader."""
    return number if unit == "1" else units.brian(number * _SHOWN[unit][1], unit)


def shown(si: float, unit: str) -> float:
    """An SI number in the shown unit, with 12 digits."""
    return float(f"{si / _SHOWN[unit][1]:.12g}")


def _parts(model: Model) -> dict[str, Any]:
    """The fields of a model that are set: (number, unit), text or model."""
    fields = dataclasses.fields(model)
    values: dict[str, Any] = {f.name: getattr(model, f.name) for f in fields}
    for name in (f.name for f in fields if "units" in f.metadata):
        if np.ndim(model.si(name)):
            raise NsnnError(f"{name} = {values[name]}: expected one number, which a slider can show")
        values[name] = shown(float(model.si(name)), model.unit(name)), model.unit(name)
    return {name: value for name, value in values.items() if value is not None}


def numbers(model: Model, prefix: str = "") -> dict[str, tuple[float, str]]:
    """The parameters of a model and of models inside it, in shown units: "hazard.width" -> (2.0, "V")."""
    result: dict[str, tuple[float, str]] = {}
    for name, value in _parts(model).items():
        if isinstance(value, Model):
            result |= numbers(value, f"{prefix}{name}.")
        elif isinstance(value, tuple):
            result[prefix + name] = value
    return result


def changed(model: Any, values: Mapping[str, float], prefix: str = "") -> Any:
    """A copy of a model whose parameters are the numbers of `values`, by names as in `numbers`, rounded to 12 digits."""
    new: dict[str, Any] = {}
    for name, value in _parts(model).items():
        if isinstance(value, Model):
            new[name] = changed(value, values, f"{prefix}{name}.")
        elif isinstance(value, tuple):
            new[name] = quantity(float(f"{values.get(prefix + name, value[0]):.12g}"), value[1])
    return dataclasses.replace(model, **new)


NEURONS: dict[str, Any] = {kind.__name__: NEURON[kind] for kind in (LIF, EIF, AdEx, PIF, QIF)}
"""The neurons to choose from, with their first parameters."""
NEURONS["AdEx"] = changed(NEURON[AdEx], {"tau_w": 144, "a": 0.1, "b": 3})  # that of `certify` does not adapt
NOISES: dict[str, Callable[[Callable[[float], Any]], Noise]] = {
    "WhiteNoise": lambda volt: WhiteNoise(volt(0.3)),
    "OUNoise": lambda volt: OUNoise(volt(0.3), quantity(10.0, "s")),
    "PoissonNoise": lambda volt: PoissonNoise(
        quantity(500.0, "Hz"), volt(0.08), rate_inh=quantity(500.0, "Hz"), weight_inh=volt(-0.08)
    ),
    "ThresholdNoise": lambda volt: ThresholdNoise(volt(0.2)),
    "EscapeNoise": lambda volt: EscapeNoise(hazard=ExponentialHazard(quantity(100.0, "Hz"), volt(0.2))),
}
"""The noise models to choose from, for a function that gives a voltage as a share of `span`."""


def span(neuron: IntegrateAndFire) -> float:
    """The distance from reset to threshold in the shown unit: the scale of drives and noise."""
    distance = abs(neuron.si("v_thresh") - neuron.si("v_reset"))
    return shown(distance, neuron.membrane_unit) or 1.0


def noise_for(neuron: IntegrateAndFire, kind: str) -> Noise:
    """The noise model named `kind` in the unit and on the scale of a neuron."""
    return NOISES[kind](lambda share: quantity(float(f"{share * span(neuron):.3g}"), neuron.membrane_unit))


def drive_range(neuron: IntegrateAndFire) -> tuple[float, float]:
    """Ends of the f-I curve in the shown unit, around the drive at which a neuron without noise starts to fire (PIF: above it)."""
    v, start = {name: x for name, (x, _) in numbers(neuron).items()}, span(neuron)
    if "v_rest" in v:
        start = (v["v_thresh"] - v["v_rest"]) / (4 if isinstance(neuron, QIF) else 1) - v.get("delta_T", 0)
    return float(f"{start - 1.5 * span(neuron):.3g}"), float(f"{start + 1.5 * span(neuron):.3g}")


@dataclasses.dataclass(frozen=True)
class State:
    """A neuron, a noise, a constant drive, and the size of a run; duration and dt in ms. `of` makes it from quantities."""

    neuron: IntegrateAndFire
    noise: Noise
    stimulus: Constant
    n_neurons: int = 20
    trials: int = 20
    duration: float = 1000.0
    dt: float = 0.1
    seed: int = 1

    @classmethod
    def of(cls, neuron: IntegrateAndFire, noise: Any = None, stimulus: Any = None, **run: Any) -> State:
        """The state of models and of arguments of `simulate`, see `explore`."""
        kind = type(neuron).__name__
        if type(neuron) is not type(NEURONS.get(kind)):
            raise NsnnError(f"model = {kind}: expected one of {', '.join(NEURONS)}")
        noise = noise_for(neuron, "WhiteNoise") if noise is None else noise
        law = getattr(noise, "law", noise)
        if not all(type(one).__module__.startswith("nsnn_neuro.") for one in (noise, law)):
            raise NsnnError(f"noise = {noise}: expected a noise model of the package, to write it as TOML")
        if stimulus is None:
            stimulus = Constant(quantity(sum(drive_range(neuron)) / 2, neuron.membrane_unit))
        if not isinstance(stimulus, Constant):
            raise NsnnError(f"stimulus = {type(stimulus).__name__}: expected Constant, which a slider shows")
        for key in {"duration", "dt"} & run.keys():
            run[key] = shown(positive(run[key], "s", key), "s")
        return cls(changed(neuron, {}), changed(noise, {}), changed(stimulus, {}), **run)

    def __post_init__(self) -> None:
        check_compatible(self.neuron, self.noise, self.stimulus)
        for name, least in (("n_neurons", 1), ("trials", 1), ("seed", 0)):
            whole(getattr(self, name), least, name)
        steps = (self.n_neurons + POINTS * self.cells) * self.trials * self.duration / self.dt
        if not steps <= MOST_STEPS:
            raise NsnnError(
                f"n_neurons = {self.n_neurons}, trials = {self.trials}, duration = {self.duration:g} ms, dt = {self.dt:g} ms: "
                f"{steps:.2g} steps of neurons, f-I curve included; expected at most {MOST_STEPS:.0e} on a page (use simulate)"
            )

    @property
    def cells(self) -> int:
        """The number of neurons at each drive of the f-I curve."""
        return math.ceil(_TRAINS / self.trials)

    @property
    def drive(self) -> float:
        """The drive in the shown unit."""
        return numbers(self.stimulus)["v"][0]

    @property
    def t_start(self) -> float:
        """The time (ms) from which spikes are counted: a fifth of the trial, at most 200 ms."""
        return float(f"{min(200.0, self.duration / 5):.12g}")

    def run(self) -> dict[str, Any]:
        """The arguments of `simulate` beside the models."""
        return {k: quantity(*v) if isinstance(v, tuple) else v for k, v in self._run().items()}

    def _run(self) -> dict[str, Any]:
        counts = {"n_neurons": self.n_neurons, "trials": self.trials}
        return counts | {"duration": (self.duration, "s"), "dt": (self.dt, "s"), "seed": self.seed}

    def python(self) -> str:
        """Ten lines of Python that print the rate of the page."""
        run = ", ".join(f"{name}={_text(value)}" for name, value in self._run().items())
        return (
            "from brian2 import Hz, ms, mV\nimport nsnn_neuro as nsnn\n\n"
            f"neuron = {_text(self.neuron)}\nnoise = {_text(self.noise)}\nstimulus = {_text(self.stimulus)}\n"
            f"block = nsnn.simulate(neuron, noise, stimulus,\n                      {run})\n"
            f"rate = nsnn.measures.firing_rate(block, t_start={self.t_start:.12g}*ms).mean()\n"
            'print(f"{rate:.3f} Hz")\n'
        )

    def toml(self) -> str:
        """The file of `nsnn simulate` with the same spikes."""
        tables = {"model": self.neuron, "noise": self.noise, "stimulus": self.stimulus}
        texts = [_table(name, {"type": type(one).__name__} | _parts(one)) for name, one in tables.items()]
        return "\n".join([*texts, _table("run", self._run())])


def _text(value: Any, toml: bool = False) -> str:
    if isinstance(value, Model):
        inside = ", ".join(f"{name}={_text(one)}" for name, one in _parts(value).items())
        return f"nsnn.{type(value).__name__}({inside})"
    if isinstance(value, tuple):
        number, unit = f"{value[0]:.12g}", symbol(value[1])
        return number if not unit else f'"{number} {unit}"' if toml else f"{number}*{unit}"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _table(path: str, values: Mapping[str, Any]) -> str:
    own = "".join(f"{k} = {_text(v, toml=True)}\n" for k, v in values.items() if not isinstance(v, Model))
    inner = {f"{path}.{name}": one for name, one in values.items() if isinstance(one, Model)}
    tables = [_table(name, {"type": type(one).__name__} | _parts(one)) for name, one in inner.items()]
    return "\n".join([f"[{path}]\n{own}", *tables])
