"""A simulation as a TOML file: `read` returns the models and arguments of `simulate`, or names the line that is wrong.

    [model]
    type = "LIF"               # a neuron model; its parameters by name
    tau_m = "20 ms"            # number and unit; or a list of them, one for each neuron
    ...
    [noise]                    # optional: a noise model
    [stimulus]                 # optional: a stimulus
    [run]
    duration = "2 s"           # and n_neurons, trials, dt, seed, engine, bridge, record_v, as in `simulate`
    [sweep]                    # optional: for `nsnn sweep` only, see `sweep_config.py`

Files are not trusted: nothing in them is evaluated, and names are looked up among the public models only. Every error is a
FormatError "file:line: key = value: what was expected".
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import tomllib
import typing
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NoReturn

from ..core.checks import did_you_mean
from ..core.errors import FormatError, NsnnError
from ..core.file_limits import check_regular
from ..core.parameters import Model
from ..models import escape, neurons, noise, stimuli, synapses
from .quantities import EXAMPLES, key_text, quantity, shown
from .toml_positions import Keys, key_lines, longest_key

_SECTIONS: dict[str, type[Model]] = {
    "model": neurons.Neuron,
    "noise": noise.Noise,
    "stimulus": stimuli.Stimulus,
}
_LARGEST = 1_000_000  # bytes
_LONGEST_KEY = 16  # parts of a dotted key


def _whole(low: int, high: int) -> tuple[Callable[[Any], bool], str]:
    return (
        lambda x: isinstance(x, int) and not isinstance(x, bool) and low <= x <= high,
        f"a whole number from {low} to {high}",
    )


Rules = dict[str, tuple[Callable[[Any], bool], str]]
"""For each key the check of its value, and what is expected."""
_TIMES = ("duration", "dt")
_RUN: Rules = {
    "n_neurons": _whole(1, 2**31 - 1),
    "trials": _whole(1, 2**31 - 1),
    "seed": _whole(0, 2**63 - 1),
    "engine": (lambda x: isinstance(x, str), 'one of "auto", "cython", "numpy", "cpp", "torch"'),
    "device": (
        lambda x: isinstance(x, str),
        'the name of a device of engine = "torch", such as "cpu" or "cuda"',
    ),
    "bridge": (lambda x: isinstance(x, bool), "true or false"),
    "record_v": (
        lambda x: isinstance(x, bool) or (isinstance(x, list) and all(_whole(0, 2**31 - 1)[0](i) for i in x)),
        "true, false or a list of neuron numbers",
    ),
}


@dataclasses.dataclass(frozen=True)
class File:
    """A TOML file by its name and the line of each key, for messages."""

    name: str
    lines: dict[Keys, int]

    def fail(self, path: Keys, message: str) -> NoReturn:
        """Raise FormatError with the line of `path`, or of the innermost table around it that has one."""
        line = next((self.lines[path[:k]] for k in range(len(path), 0, -1) if path[:k] in self.lines), None)
        raise FormatError(f"{self.name}{'' if line is None else f':{line}'}: {_as_in_a_file(message)}")

    @contextlib.contextmanager
    def placed(self, path: Keys, prefix: str = "") -> Iterator[None]:
        """Raise an NsnnError inside as the FormatError of `path`."""
        try:
            yield
        except NsnnError as error:
            self.fail(path, f"{prefix}{error}")

    def check_keys(self, path: Keys, given: Iterable[str], known: Iterable[str], owner: str = "") -> None:
        """Raise FormatError unless the keys `given` in the table `path`, or of its `owner`, are known ones."""
        known = list(known)
        lacking = f"{owner or '[' + '.'.join(path) + ']'} has no such key" if path else "no such table"
        for key in given:
            if key not in known:
                hint = f"{did_you_mean(key, known)} (expected {', '.join(known)})"
                self.fail((*path, key), f"{key_text(key)}: {lacking}{hint}")

    def check_values(self, path: Keys, table: dict[str, Any], rules: Rules) -> None:
        """Raise FormatError for the first value in the table `path` that is not as the rules say."""
        for key, (is_valid, expected) in rules.items():
            if key in table and not is_valid(table[key]):
                self.fail((*path, key), f"{key} = {shown(table[key])}: expected {expected}")


@dataclasses.dataclass(frozen=True)
class Config(File):
    """A configuration file as objects; made by `read` or `parse`."""

    model: neurons.Neuron
    noise: noise.Noise | None
    stimulus: stimuli.Stimulus | None
    run: dict[str, Any]  # Arguments of `simulate`: duration and what else the file gives
    sweep: dict[str, Any] | None = None  # The table [sweep] as it is in the file

    def place(self, message: str, given: Iterable[str] = ()) -> str:
        """`message` with the file and the lines of the key that its first word names, unless that key is `given` elsewhere."""
        key = _first_word(message)
        if key in given:
            return message
        lines = sorted({line for path, line in self.lines.items() if path[-1] == key})
        where = ":" + " or ".join(map(str, lines)) if lines else ""
        return f"{self.name}{where}: {_as_in_a_file(message)}"


def read(path: str | Path) -> Config:
    """The configuration in the TOML file `path`; a FormatError names file, line, key and cure."""
    check_regular(Path(path))
    with open(path, "rb") as file:
        data = file.read(_LARGEST + 1)
    name = shown(str(path), quote=False)
    if data.startswith(b"\x89HDF"):
        raise FormatError(f"{name}: a recording: expected a TOML configuration")
    if len(data) > _LARGEST:
        raise FormatError(f"{name}: more than {_LARGEST} bytes: expected a configuration, which is short")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise FormatError(f"{name}:{line}: not UTF-8 text ({error.reason})") from None
    return parse(text, name)


def _toml_cure(line: str, reason: str) -> str:
    """What is wrong with a line that is not TOML, where it is one of three common mistakes."""
    line = line.strip()
    if "overwrite" in reason or "twice" in reason:
        return f"{shown(line.split('=')[0].strip(), quote=False)} is given twice"
    if bare := re.match(r"([\w-]+\s*=\s*)([-+.\d]+\s*(?:1/)?[A-Za-zµ]+)\s*(?:#.*)?$", line):
        return f'values with a unit are quoted: {bare[1]}"{bare[2]}"'
    return f"{shown(line, quote=False)}: a text without its closing quote" if line.count('"') % 2 else ""


def parse(text: str, name: str = "config") -> Config:
    """The configuration in `text`; `name` stands for the file in messages."""
    if longest_key(text) > _LONGEST_KEY:
        raise FormatError(
            f"{name}: a key of more than {_LONGEST_KEY} parts: expected keys such as noise.family.sigma"
        )
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise FormatError(f"{name}: brackets are nested too deeply") from None
    except ValueError as error:  # also a number of too many digits
        reason, line, column = str(error), 0, ""
        if match := re.search(r" \(at line (\d+), column (\d+)\)$", reason):
            reason, line, column = reason[: match.start()], int(match[1]), f" (column {match[2]})"
        elif reason.endswith(" (at end of document)"):
            line = text.count("\n") + 1
        where = f"{name}:{line}" if line else name
        reason = _toml_cure(text.split("\n")[line - 1], reason) or f"{reason[:1].lower()}{reason[1:]}{column}"
        raise FormatError(f"{where}: not valid TOML: {reason}") from None
    return _Reader(name, key_lines(text), data).config()


def _first_word(message: str) -> str:
    return (re.match(r"\w+", message) or [""])[0]


def _as_in_a_file(message: str) -> str:
    """Python's `20*ms` in a model's message as the "20 ms" of a file."""
    return re.sub(r"\b([0-9][0-9.]*)\*([A-Za-z]+)\b", r'"\1 \2"', message)


def _kinds(base: type[Model]) -> dict[str, type[Model]]:
    """The public models under `base` that can be written in a file, by name."""
    modules = neurons, noise, escape, stimuli
    public = [getattr(module, name) for module in modules for name in module.__all__]
    public += [kind for kind in vars(synapses).values() if getattr(kind, "on_arrival", None)]
    return {
        kind.__name__: kind
        for kind in public
        if isinstance(kind, type)
        and issubclass(kind, base)
        and (dataclasses.fields(kind) or issubclass(kind, synapses.Synapse))
        and _can_be_written(kind)
    }


def _expected(field: dataclasses.Field, hint: Any) -> str:
    """What a file may give for a field of a model."""
    if "units" in field.metadata:
        return " or ".join(EXAMPLES[unit] for unit in field.metadata["units"])
    if inner := _model_of(hint):
        return f"a table with type = one of {_names(_kinds(inner))}"
    choices = " or ".join(shown(choice) for choice in typing.get_args(hint))
    return choices or {int: "a whole number", str: "text in quotes", bool: "true or false"}[hint]


def _model_of(hint: Any) -> type[Model] | None:
    """The kind of model that a field with this type hint holds, also where it may be None."""
    parts = (hint, *typing.get_args(hint))
    return next((part for part in parts if isinstance(part, type) and issubclass(part, Model)), None)


def _names(kinds: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in kinds)


def _can_be_written(kind: type[Model]) -> bool:
    hints = typing.get_type_hints(kind)
    plain = [hints[f.name] for f in dataclasses.fields(kind) if "units" not in f.metadata]
    return all(
        hint in (int, str, bool) or typing.get_origin(hint) is Literal or _model_of(hint) is not None
        for hint in plain
    )


@dataclasses.dataclass(frozen=True)
class _Reader(File):
    """Turns the data of a file into a `Config`."""

    data: dict[str, Any]

    def config(self) -> Config:
        self.check_keys((), self.data, [*_SECTIONS, "run", "sweep"])
        if "model" not in self.data:
            self.fail((), 'no [model]: expected a table [model] with type = "LIF", say, and its parameters')
        made = {key: self.model((key,), base) for key, base in _SECTIONS.items() if key in self.data}
        sweep = self.table(("sweep",), "[sweep] with measures and grid") if "sweep" in self.data else None
        parts = (made["model"], made.get("noise"), made.get("stimulus"))
        return Config(self.name, self.lines, *parts, self.run(), sweep)

    def table(self, path: Keys, example: str) -> dict[str, Any]:
        value: Any = self.data
        for key in path:
            value = value[key]
        if not isinstance(value, dict):
            self.fail(path, f"{path[-1]} = {shown(value)}: expected a table such as {example}")
        return value

    def model(self, path: Keys, base: type[Model]) -> Any:
        kinds = _kinds(base)
        names = _names(kinds)
        table = self.table(path, f"[{'.'.join(path)}] with type = one of {names}")
        if "type" not in table:
            self.fail(path, f"[{'.'.join(path)}] has no type: expected type = one of {names}")
        chosen = table["type"]
        if isinstance(chosen, str):  # a file of an earlier version may have an earlier name
            chosen = {kind.type_name(): name for name, kind in kinds.items()}.get(chosen, chosen)
        if not isinstance(chosen, str) or chosen not in kinds:
            hint = did_you_mean(chosen, kinds)
            self.fail((*path, "type"), f"type = {shown(chosen)}: expected one of {names}{hint}")
        kind = kinds[chosen]
        fields, hints = {f.name: f for f in dataclasses.fields(kind)}, typing.get_type_hints(kind)
        self.check_keys(path, table, ["type", *fields], chosen)
        for name, field in fields.items():
            if name not in table and field.default is field.default_factory is dataclasses.MISSING:
                self.fail(path, f"{chosen} needs {name}: expected {_expected(field, hints[name])}")
        values = {
            key: self.field((*path, key), v, fields[key], hints[key])
            for key, v in table.items()
            if key != "type"
        }
        try:
            return kind(**values)
        except NsnnError as error:
            self.fail((*path, _first_word(str(error))), str(error))

    def field(self, path: Keys, value: Any, field: dataclasses.Field, hint: Any) -> Any:
        if "units" in field.metadata:
            with self.placed(path):
                return quantity(value, field.metadata["units"], path[-1])
        if inner := _model_of(hint):
            return self.model(path, inner)
        choices = typing.get_args(hint)
        if not (value in choices if isinstance(value, str) and choices else type(value) is hint):
            self.fail(path, f"{path[-1]} = {shown(value)}: expected {_expected(field, hint)}")
        return value

    def run(self) -> dict[str, Any]:
        if "run" not in self.data:
            self.fail((), 'no [run]: expected a table [run] with duration = "2 s", say')
        table = self.table(("run",), '[run] with duration = "2 s"')
        self.check_keys(("run",), table, [*_TIMES, *_RUN])
        if "duration" not in table:
            self.fail(("run",), f"[run] has no duration: expected {EXAMPLES['s']}")
        self.check_values(("run",), table, _RUN)
        given = dict(table)
        for key in given.keys() & {*_TIMES}:
            with self.placed(("run", key)):
                given[key] = quantity(table[key], "s", key)
        return given
