"""Collect the equations, constants and initial values of a NeuronGroup, and number its neurons across trials."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from brian2 import Clock, NeuronGroup, TimedArray, get_device, second
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice

from ...core import units
from ...core.errors import NsnnError
from ...core.parameters import Model, substitute
from ...models.neurons import IntegrateAndFire
from ...models.stimuli import Stimulus
from .. import engine, philox

BRIAN_UNIT = {"V": "volt", "1/V": "1/volt", "1": "1", "s": "second", "Hz": "hertz"}

# Order of operations on population k within a step, in Brian2's slot "groups". Synapses follow the state update and precede the
# threshold, so that a spike acts in the step in which it arrives; later populations see spikes of the same step.
ORDERS_EACH, AHEAD, COUNTS, UPDATE, SYNAPSES, LATE, THRESHOLD, RESET = 10, 0, 1, 2, 3, 4, 5, 7

# From this size on, random words are generated once for the four steps that they serve; in smaller groups an extra loop costs more
# than it saves, except in C++
MANY = 2000


def either(name: str) -> str:
    """Text of `name` in a full step and of `name`_part in the partial step after the refractory time."""
    return f"{name} + part * ({name}_part - {name})"


def bind(
    name: str, value: Any, unit: str, namespace: dict, equations: list[str], initial: dict, trials: int
) -> None:
    """Bind a name to an SI number, in the namespace, or to an array: an equation, and initial values for each trial."""
    value = np.asarray(value)
    if value.ndim == 0:
        namespace[name] = units.brian(value[()], unit) if unit != "1" else value[()]
        return
    equations.append(f"{name} : {'integer' if value.dtype.kind in 'iu' else BRIAN_UNIT[unit]} (constant)")
    tiled = np.tile(value, trials)
    initial[name] = tiled if unit == "1" else units.brian(tiled, unit)


def _in_c(text: str) -> str:
    """`text` with C versions of functions that Brian2's Cython code would call in Python."""
    return substitute(text, {"exprel": "smooth_exprel"})


def _vectorised(text: str) -> str:
    """The text of a loop over all members, which the compiler vectorises if its functions have no branches and calls."""
    smooth = {name: f"smooth_{name}" for name in ("exp", "normal_cdf", "in_turn")}
    return substitute(_in_c(text), smooth)


@dataclasses.dataclass
class Terms:
    """The step of a membrane while it is written: what it is of, and the text that noise and synapses add.

    h : length of the partial step after the refractory time, in steps
    loaded : whether there are conductances
    bridge : whether crossings within a step are tested
    level : text of the threshold
    first : lines before the membrane moves, which set the names in `conductances` (pairs of conductance in units of the leak and
        reversal potential)
    lines : lines after that, which set the names in `kicks`; kicks are added to a membrane that is not refractory
    moved : lines after `moved`, the voltage at the end of the step without jumps, is known
    jumps : added to it and tested in the same step
    last : lines after the membrane has moved
    crossed : further conditions for a spike
    top : the condition that a path with jumps reaches the threshold within the step
    reset : further lines of the reset
    synapses : the number of synapses that have been added
    """

    group: GroupText
    neuron: IntegrateAndFire
    h: Any
    loaded: bool
    bridge: bool
    level: str = ""
    first: list[str] = dataclasses.field(default_factory=list)
    conductances: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    lines: list[str] = dataclasses.field(default_factory=list)
    kicks: list[str] = dataclasses.field(default_factory=list)
    moved: list[str] = dataclasses.field(default_factory=list)
    jumps: list[str] = dataclasses.field(default_factory=list)
    last: list[str] = dataclasses.field(default_factory=list)
    crossed: list[str] = dataclasses.field(default_factory=list)
    top: str = ""
    reset: list[str] = dataclasses.field(default_factory=list)
    synapses: int = 0


@dataclasses.dataclass(frozen=True)
class Layout:
    """Numbering of members (member = trial * n_neurons + neuron), time grid, and index and name of the population.

    `point` is the point of a sweep, for all neurons or one per neuron, (n_neurons,); `ids` are the neuron numbers that key the
    noise, None for 0, 1, ... Neurons of several points are one population in which ids repeat. `first` is the run's first step.
    """

    n_neurons: int
    trials: int
    dt: float
    n_steps: int
    key: tuple[int, int]
    point: int | np.ndarray = 0
    index: int = 0
    name: str = "neurons"
    ids: np.ndarray | None = None
    first: int = 0

    @property
    def size(self) -> int:
        """The number of members of the group."""
        return self.n_neurons * self.trials

    def of_members(self, values: Any) -> np.ndarray:
        """One value of each member, (size,), from one value or one of each neuron."""
        return np.tile(np.broadcast_to(values, self.n_neurons), self.trials)

    @property
    def n_ids(self) -> int:
        """The number of neurons of one point."""
        return self.n_neurons if self.ids is None else int(self.ids.max()) + 1


class GroupText:
    """Equations, constants and initial values of a group. Scalars become constants, arrays constants per neuron."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.equations: list[str] = [
            "noise_neuron : integer (constant)",
            "noise_trial : integer (constant)",
            "noise_point : integer (constant)",
            "noise_key0 : integer (shared, constant)",
            "noise_key1 : integer (shared, constant)",
        ]
        self.ahead: list[str] = []  # lines for every fourth step
        # lines that the compiler cannot vectorise: in large groups and in C++ they run in a separate loop before the step
        self.counts: list[str] = []
        self.late: list[str] = []  # lines after synaptic input
        self.namespace: dict[str, Any] = dict(engine.functions())
        self._parameters: dict[str, str] = {}  # names of all models' parameters -> where they come from
        self.initial: dict[str, Any] = {
            "noise_neuron": np.tile(
                np.arange(layout.n_neurons) if layout.ids is None else layout.ids, layout.trials
            ),
            "noise_trial": np.repeat(np.arange(layout.trials), layout.n_neurons),
            "noise_point": np.tile(layout.point, layout.trials) if np.ndim(layout.point) else layout.point,
            "noise_key0": layout.key[0],
            "noise_key1": layout.key[1],
        }

    @property
    def many(self) -> bool:
        """Whether random words are drawn for four steps at once."""
        return self.layout.size >= MANY or isinstance(get_device(), CPPStandaloneDevice)

    def bind(self, name: str, value: Any, unit: str) -> None:
        """Bind a name in the text to a parameter, an SI number or an array of shape (n_neurons,)."""
        if np.ndim(value) and np.shape(value) != (self.layout.n_neurons,):
            raise NsnnError(
                f"{name} has shape {np.shape(value)}: expected a number or shape (n_neurons,) = ({self.layout.n_neurons},)"
            )
        bind(name, value, unit, self.namespace, self.equations, self.initial, self.layout.trials)

    def state(self, name: str, unit: str, initial: Any = None) -> None:
        """Add a state variable; `initial` is an SI number or an array of shape (n_neurons,) or (size,)."""
        self.equations.append(f"{name} : {BRIAN_UNIT.get(unit, unit)}")
        if initial is not None:
            value = np.asarray(initial)
            value = np.tile(value, self.layout.trials) if value.shape == (self.layout.n_neurons,) else value
            self.initial[name] = value if unit in ("1", "integer") else units.brian(value, unit)

    def draw(self, kind: str, stream: int, neuron: str = "noise_neuron") -> str:
        """Text of a "normal" or "uniform" number per step; large groups draw the numbers of four steps at once."""
        if not self.many:
            return engine.draw(kind, stream, neuron=neuron)
        text = engine.draw(f"{kind}_in_turn", stream, neuron=neuron)
        names = [f"{kind}_{int(stream)}_{turn}" for turn in range(4)]
        if any(line.startswith(f"{names[0]} ") for line in self.ahead):
            raise ValueError(f"{kind} numbers of stream {stream!r} are drawn already")
        self.equations += [f"{name} : 1" for name in names]
        if self.layout.first % 4:  # the run begins between two such draws
            self.initial |= {name: self._drawn(kind, stream, neuron, turn) for turn, name in enumerate(names)}
        self.ahead += [f"{name} = {text.replace('(', f'({turn}, ', 1)}" for turn, name in enumerate(names)]
        return f"in_turn(t_in_timesteps, {', '.join(names)})"

    def _drawn(self, kind: str, stream: int, neuron: str, turn: int) -> np.ndarray:
        """The numbers of one of the four steps among which the first step is."""
        fill = philox.normal_in_turn if kind == "normal" else philox.uniform_in_turn
        who, trial, point = (self.initial[f"noise_{word}"] for word in ("neuron", "trial", "point"))
        who = -1 if neuron == "-1" else who
        drawn = fill(turn, self.layout.first, who, trial, point, stream, *self.layout.key)
        return np.broadcast_to(drawn, self.layout.size)

    def bind_parameters(self, model: Model, prefix: str = "") -> dict[str, str]:
        """Bind all parameters of a model; return a dict of old to new names for its text.

        NsnnError : a parameter of another model has the same new name
        """
        names = {f.name: prefix + f.name for f in model.parameter_fields()}
        for old, new in names.items():
            own = f"{type(model).__name__}.{old}"
            if new in self._parameters:
                raise NsnnError(
                    f"{self._parameters[new]} and {own} are both called {new!r} in the generated code: expected another name of one"
                )
            self._parameters[new] = own
            self.bind(new, model.si(old), model.unit(old))
        return names

    def make(self, threshold: str, reset: str, update: str) -> NeuronGroup:
        """Create the Brian2 group; its operations have the order of `Layout.index`."""
        name, first = self.layout.name, ORDERS_EACH * self.layout.index
        # a threshold is tested in a loop with branches, in which the C library's exp is faster
        threshold, reset, update = _in_c(threshold), _in_c(reset), _vectorised(update)
        group = NeuronGroup(
            self.layout.size,
            _in_c("\n".join(self.equations)),
            threshold=threshold,
            reset=reset,
            namespace=self.namespace,
            clock=Clock(self.layout.dt * second, name=f"{name}_clock"),
            name=name,
        )
        for variable, value in self.initial.items():
            setattr(group, variable, value)  # a text is evaluated once
        for part, order in ((group.thresholder["spike"], THRESHOLD), (group.resetter["spike"], RESET)):
            part.when, part.order = "groups", first + order

        def run(lines: str, order: int, what: str, **clock: Clock) -> None:
            group.run_regularly(lines, when="groups", order=first + order, name=f"{name}_{what}", **clock)

        if self.ahead:
            clock = Clock(4 * self.layout.dt * second, name=f"{name}_ahead_clock")
            run(_in_c("\n".join(self.ahead)), AHEAD, "ahead", clock=clock)
        if self.counts and self.many:
            run(_in_c("\n".join(self.counts)), COUNTS, "counts")
        run(update, UPDATE, "step")
        if self.late:
            run(_vectorised("\n".join(self.late)), LATE, "late")
        return group


def add_drive(group: GroupText, stimulus: Stimulus | None, unit: str) -> None:
    """Define `drive`, the stimulus in each step."""
    if stimulus is None:
        zero = f"0 * {BRIAN_UNIT[unit]}" if unit != "1" else "0"
        group.equations.append(f"drive = {zero} : {BRIAN_UNIT[unit]}")
        return
    if stimulus.text is not None:
        text = substitute(stimulus.text, group.bind_parameters(stimulus, "stim_"))
    else:
        values = stimulus.samples(group.layout.n_steps, group.layout.dt)
        channel = "noise_neuron"
        if values.ndim == 2 and values.shape[1] != group.layout.n_ids:
            channel = f"i % {group.layout.n_neurons}"  # one channel for each point
        if values.ndim == 2 and values.shape[1] not in (group.layout.n_ids, group.layout.n_neurons):
            raise NsnnError(
                f"signal has {values.shape[1]} channels: expected 1 or n_neurons = {group.layout.n_ids}"
            )
        group.namespace["stim_samples"] = TimedArray(
            units.brian(values, unit), dt=group.layout.dt * second, name=f"{group.layout.name}_samples"
        )
        text = "stim_samples(t)" if values.ndim == 1 else f"stim_samples(t, {channel})"
    group.equations.append(f"drive = {text} : {BRIAN_UNIT[unit]}")
