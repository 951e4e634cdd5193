"""A simulation as a TOML file: `read` gives records and arguments of `simulate`, or says which line is wrong.

    [model]
    type = "LIF"               # a neuron record; its parameters by name
    tau_m = "20 ms"            # number and unit; or a list of them, one for each neuron
    ...
    [noise]                    # optional: a noise record
    [stimulus]                 # optional: a stimulus record
    [run]
    duration = "2 s"           # and n_neurons, trials, dt, seed, engine, bridge, record_v, as in `simulate`
    [sweep]                    # optional: for `nsnn sweep` alone, see `sweep_command.py`

A file is anybody's: nothing in it is evaluated, and names are looked up among the public records alone. Every
error is a FormatError "file:line: key = value: what was expected".
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np

from ..core import units
from ..core.errors import FormatError, NsnnError
from ..core.limits import check_regular
from ..core.parameters import Record
from ..models import escape, neurons, noise, stimuli
from .toml_positions import key_lines, longest_key

__all__ = ["Config", "in_units", "parse", "quantity", "quantity_or_text", "read", "shown"]

Keys = tuple[str, ...]

_PREFIXES = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12}
# name in a file -> (the package's unit, SI units in one)
_UNITS: dict[str, tuple[str, float]] = {
    **{p + "s": ("s", x) for p, x in _PREFIXES.items() if p in ("", "m", "u")},
    **{p + "V": ("V", x) for p, x in _PREFIXES.items() if p in ("", "m", "u")},
    **{f"1/{p}V": ("1/V", 1 / x) for p, x in _PREFIXES.items() if p in ("", "m", "u")},
    **{p + "Hz": ("Hz", x) for p, x in {"": 1.0, "k": 1e3, "m": 1e-3}.items()},
    **{p + unit: (unit, x) for unit in "AFS" for p, x in _PREFIXES.items()},
}
_EXAMPLES = {
    "s": 'a time such as "20 ms"',
    "Hz": 'a frequency such as "10 Hz"',
    "V": 'a voltage such as "15 mV"',
    "1/V": 'an inverse voltage such as "0.5 1/mV"',
    "A": 'a current such as "100 pA"',
    "F": 'a capacitance such as "200 pF"',
    "S": 'a conductance such as "10 nS"',
    "1": "a plain number such as 0.5",
}
# "0.51/mV" must not be read as 0.5 1/mV, so that an inverse unit needs the space
_QUANTITY = re.compile(
    r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?:\s*([A-Za-z]+)|\s+(1/[A-Za-z]+))"
)
_SECTIONS: dict[str, type[Record]] = {
    "model": neurons.Neuron,
    "noise": noise.Noise,
    "stimulus": stimuli.Stimulus,
}
_LARGEST = 1_000_000  # characters
_LONGEST_KEY = 16  # parts of a dotted key


def _whole(low: int, high: int) -> tuple[Callable[[Any], bool], str]:
    return (
        lambda x: isinstance(x, int) and not isinstance(x, bool) and low <= x <= high,
        f"a whole number from {low} to {high}",
    )


def _neuron_numbers(x: Any) -> bool:
    return isinstance(x, bool) or (isinstance(x, list) and all(_whole(0, 2**31 - 1)[0](i) for i in x))


_TIME = "time"
_RUN: dict[str, Any] = {
    "duration": _TIME,
    "dt": _TIME,
    "n_neurons": _whole(1, 2**31 - 1),
    "trials": _whole(1, 2**31 - 1),
    "seed": _whole(0, 2**63 - 1),
    "engine": (lambda x: isinstance(x, str), 'one of "cython", "numpy", "cpp"'),
    "bridge": (lambda x: isinstance(x, bool), "true or false"),
    "record_v": (_neuron_numbers, "true, false or a list of neuron numbers"),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """A configuration file as objects; made by `read` or `parse`."""

    name: str
    """The file, for messages."""
    model: neurons.Neuron
    noise: noise.Noise | None
    stimulus: stimuli.Stimulus | None
    run: dict[str, Any]
    """Arguments of `simulate`: duration and what else the file gives."""
    lines: dict[Keys, int]
    """Line of each key."""
    sweep: dict[str, Any] | None = None
    """The table [sweep] as it is in the file."""

    def fail(self, path: Keys, message: str) -> NoReturn:
        """Raise FormatError with the line of `path`, or of the innermost table around it that has one."""
        raise FormatError(_at(self.name, self.lines, path) + _as_in_a_file(message))

    def check_keys(self, path: Keys, given: Iterable[str], known: Iterable[str]) -> None:
        """Raise FormatError unless the keys `given` in the table `path` are known ones."""
        for key in given:
            if key not in (known := list(known)):
                who = f"[{'.'.join(path)}]"
                self.fail(
                    (*path, key),
                    f"{_key(key)}: {who} has no such key{_close(key, known)} (expected {', '.join(known)})",
                )

    def place(self, message: str, given: Iterable[str] = ()) -> str:
        """`message` of an NsnnError about the first word in it, with the file and the lines of that key.

        given : keys whose value isn't the file's
        """
        key = (re.match(r"\w+", message) or [""])[0]
        found = sorted({line for path, line in self.lines.items() if path[-1] == key})
        if key in given:
            return message
        where = ":" + " or ".join(str(line) for line in found) if found else ""
        return f"{self.name}{where}: {_as_in_a_file(message)}"


def read(path: str | Path) -> Config:
    """The configuration in the TOML file `path`.

    Raises
    ------
    FormatError : not UTF-8, not TOML, or something in it is wrong; the message names file, line, key and cure
    OSError : the file can't be read
    """
    check_regular(Path(path))
    with open(path, "rb") as file:
        data = file.read(_LARGEST + 1)
    name = shown(str(path), quote=False)
    if len(data) > _LARGEST:
        raise FormatError(f"{name}: more than {_LARGEST} bytes: expected a configuration, which is short")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise FormatError(f"{name}:{line}: not UTF-8 text ({error.reason})") from None
    return parse(text, name)


def parse(text: str, name: str = "config") -> Config:
    """The configuration in `text`; `name` stands for the file in messages.

    Raises
    ------
    FormatError : not TOML, or something in it is wrong

    >>> config = parse('[model]\\ntype = "NSNNNeuron"\\nbeta = 0.9\\n[run]\\nduration = "20 ms"')
    >>> config.model.si("beta"), config.run
    (0.9, {'duration': 20. * msecond})
    >>> parse('[model]\\ntype = "NSNNNeuron"\\nbta = 0.9')
    Traceback (most recent call last):
    nsnn_neuro.core.errors.FormatError: config:3: bta: NSNNNeuron has no such key; did you mean beta? (...)
    """
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
        if found := re.search(r" \(at line (\d+), column (\d+)\)$", reason):
            reason, line, column = reason[: found.start()], int(found[1]), f" (column {found[2]})"
        elif reason.endswith(" (at end of document)"):
            line = text.count("\n") + 1
        where = f"{name}:{line}" if line else name
        raise FormatError(f"{where}: not valid TOML: {reason[:1].lower()}{reason[1:]}{column}") from None
    return _Reader(data, key_lines(text), name).config()


def quantity(value: Any, unit: str, name: str) -> Any:
    """The text `value`, number and unit, as a Brian2 quantity whose unit is `unit` ("s", "V", ...).

    Raises
    ------
    NsnnError : no number and unit, or another unit

    >>> quantity("20 ms", "s", "bin_width")
    20. * msecond
    >>> quantity("20", "s", "bin_width")
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: bin_width = "20" has no unit: expected a time such as "20 ms"
    """
    numbers, _ = _si(value, (unit,), name)
    return units.brian(numbers, unit)


def quantity_or_text(value: Any, name: str) -> Any:
    """A value of a file by its looks: number and unit as a Brian2 quantity, anything else as it is.

    Raises
    ------
    NsnnError : a number with a unit that isn't one

    >>> quantity_or_text("20 ms", "tau_m"), quantity_or_text("hard", "reset"), quantity_or_text(0.5, "beta")
    (20. * msecond, 'hard', 0.5)
    """
    if not isinstance(value, str) or not _QUANTITY.fullmatch(
        value.strip().replace("\u00b5", "u").replace("\u03bc", "u")
    ):
        return value
    number, unit = _si(value, tuple(_EXAMPLES), name)
    return units.brian(number, unit)


def in_units(value: Any, unit: str) -> str:
    """SI number or list as in a file, in the unit that makes it readable: the inverse of `quantity`.

    >>> in_units(0.02, "s"), in_units([0.0, -0.0035], "V"), in_units(0.5, "1")
    ('20 ms', '[0 V, -3.5 mV]', '0.5')
    """
    if isinstance(value, list):
        return "[" + ", ".join(in_units(v, unit) for v in value[:4]) + ", ..." * (len(value) > 4) + "]"
    if not isinstance(value, int | float):
        return shown(value, quote=False)
    scales = {scale: symbol for symbol, (one, scale) in _UNITS.items() if one == unit}
    if not scales:
        return f"{value:.6g}" + ("" if unit == "1" else f" {shown(unit, quote=False)}")
    fitting = [scale for scale in scales if scale <= abs(value) * (1 + 1e-9)]
    scale = 1.0 if value == 0 else max(fitting, default=min(scales))
    return f"{value / scale:.6g} {scales[scale]}"


def shown(value: Any, quote: bool = True) -> str:
    """`value` as in a TOML file, short and printable, for a message.

    >>> shown("20 mV"), shown([True, 1.5]), shown("a\\x1bb", quote=False)
    ('"20 mV"', '[true, 1.5]', 'a\\\\x1bb')
    """
    if isinstance(value, str):
        text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in value[:80]) + "..." * (
            len(value) > 80
        )
        return f'"{text}"' if quote else text
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value) if abs(value) < 10**20 else "a number of more than 20 digits"
    if isinstance(value, list):
        return "[" + ", ".join(shown(v) for v in value[:4]) + ", ..." * (len(value) > 4) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)} = ..." for k in list(value)[:4]) + "}"
    return str(value)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[\w-]{1,40}", key, re.ASCII) else shown(key)


def _as_in_a_file(message: str) -> str:
    """Python's `20*ms` in a record's message as the "20 ms" of a file."""
    return re.sub(r"\b([0-9][0-9.]*)\*([A-Za-z]+)\b", r'"\1 \2"', message)


def _at(name: str, lines: dict[Keys, int], path: Keys) -> str:
    """File and line of `path`, or of the innermost table around it that has one, before a message."""
    line = next((lines[path[:k]] for k in range(len(path), 0, -1) if path[:k] in lines), None)
    return f"{name}{'' if line is None else f':{line}'}: "


def _close(word: Any, known: Iterable[str]) -> str:
    lower = {k.lower(): k for k in known}
    close = difflib.get_close_matches(word.lower()[:80], lower, n=1) if isinstance(word, str) else []
    return f"; did you mean {lower[close[0]]}?" if close else ""


def _si(value: Any, allowed: tuple[str, ...], name: str) -> tuple[Any, str]:
    """A value of a file, or a list of them, in SI and its unit, one of `allowed`; NsnnError otherwise."""
    expected = " or ".join(_EXAMPLES[unit] for unit in allowed)
    if isinstance(value, list):
        if not value or any(isinstance(v, list) for v in value):
            raise NsnnError(
                f"{name} = {shown(value)}: expected {expected}, or a list of them, one for each neuron"
            )
        numbers, found = zip(*(_si(v, allowed, name) for v in value), strict=True)
        if len(set(found)) > 1:
            raise NsnnError(f"{name} = {shown(value)}: expected one unit for all")
        return np.array(numbers), found[0]
    where = f"{name} = {shown(value)}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        if "1" not in allowed:
            raise NsnnError(f"{where} has no unit: expected {expected}")
        try:
            return float(value), "1"
        except OverflowError:
            raise NsnnError(f"{where} is too large: expected {expected}") from None
    if not isinstance(value, str):
        raise NsnnError(f"{where}: expected {expected}")
    # the micro sign and the Greek letter
    text = value.strip().replace("\u00b5", "u").replace("\u03bc", "u")
    match = _QUANTITY.fullmatch(text) if len(text) <= 80 else None
    if match is None:
        bare = re.fullmatch(r"[0-9.eE+-]+", text)
        raise NsnnError(f"{where}{' has no unit' if bare else ''}: expected {expected}")
    symbol = match[2] or match[3]
    unit, scale = _UNITS.get(symbol, ("", 1.0))
    if unit not in allowed:
        known = [symbol for symbol, (one, _) in _UNITS.items() if one in allowed]
        if not unit:
            raise NsnnError(
                f"{where}: unknown unit {shown(symbol)}{_close(symbol, known)} (expected {expected})"
            )
        raise NsnnError(f"{where}: expected {expected}")
    if not np.isfinite(float(match[1])):
        raise NsnnError(f"{where} is too large: expected {expected}")
    return float(match[1]) * scale, unit


def _kinds(base: type[Record]) -> dict[str, type[Record]]:
    """The public records under `base` that can be written in a file, by name."""
    public = [
        getattr(module, name) for module in (neurons, noise, escape, stimuli) for name in module.__all__
    ]
    return {
        kind.__name__: kind
        for kind in public
        if isinstance(kind, type)
        and issubclass(kind, base)
        and dataclasses.fields(kind)
        and _can_be_written(kind)
    }


def _expected(field: dataclasses.Field, hint: Any) -> str:
    """What a file may give for a record's field."""
    if "units" in field.metadata:
        return " or ".join(_EXAMPLES[unit] for unit in field.metadata["units"])
    if inner := _record_of(hint):
        return f"a table with type = one of {_names(_kinds(inner))}"
    choices = " or ".join(shown(choice) for choice in typing.get_args(hint))
    return choices or {int: "a whole number", str: "text in quotes", bool: "true or false"}[hint]


def _record_of(hint: Any) -> type[Record] | None:
    """The kind of record that a field with this type hint holds, also where it may be None."""
    for part in (hint, *typing.get_args(hint)):
        if isinstance(part, type) and issubclass(part, Record):
            return part
    return None


def _names(kinds: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in kinds)


def _can_be_written(kind: type[Record]) -> bool:
    hints = typing.get_type_hints(kind)
    plain = [hints[f.name] for f in dataclasses.fields(kind) if "units" not in f.metadata]
    return all(
        hint in (int, str, bool) or typing.get_origin(hint) is Literal or _record_of(hint) is not None
        for hint in plain
    )


class _Reader:
    """The data of one file on their way to a `Config`."""

    def __init__(self, data: dict[str, Any], lines: dict[Keys, int], name: str) -> None:
        self.data, self.lines, self.name = data, lines, name

    def config(self) -> Config:
        known = [*_SECTIONS, "run", "sweep"]
        for key in self.data:
            if key not in known:
                self.fail(
                    (key,), f"{_key(key)}: no such table{_close(key, known)} (expected {', '.join(known)})"
                )
        if "model" not in self.data:
            self.fail((), 'no [model]: expected a table [model] with type = "LIF", say, and its parameters')
        made = {key: self.record((key,), base) for key, base in _SECTIONS.items() if key in self.data}
        run = self.run()
        swept = self.table(("sweep",), "[sweep] with measures and grid") if "sweep" in self.data else None
        return Config(
            self.name, made["model"], made.get("noise"), made.get("stimulus"), run, self.lines, swept
        )

    def fail(self, path: Keys, message: str) -> NoReturn:
        """Raise with the line of `path`, or of the innermost table around it that has one."""
        raise FormatError(_at(self.name, self.lines, path) + _as_in_a_file(message))

    def table(self, path: Keys, example: str) -> dict[str, Any]:
        value: Any = self.data
        for key in path:
            value = value[key]
        if not isinstance(value, dict):
            self.fail(path, f"{path[-1]} = {shown(value)}: expected a table such as {example}")
        return value

    def check_keys(self, path: Keys, given: Iterable[str], known: list[str], who: str) -> None:
        for key in given:
            if key not in known:
                close = _close(key, known)
                self.fail(
                    (*path, key), f"{_key(key)}: {who} has no such key{close} (expected {', '.join(known)})"
                )

    def record(self, path: Keys, base: type[Record]) -> Any:
        kinds = _kinds(base)
        names = _names(kinds)
        table = self.table(path, f"[{'.'.join(path)}] with type = one of {names}")
        if "type" not in table:
            self.fail(path, f"[{'.'.join(path)}] has no type: expected type = one of {names}")
        chosen = table["type"]
        if not isinstance(chosen, str) or chosen not in kinds:
            self.fail(
                (*path, "type"), f"type = {shown(chosen)}: expected one of {names}{_close(chosen, kinds)}"
            )
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
            key = (re.match(r"\w+", str(error)) or [""])[0]
            self.fail((*path, key), str(error))

    def field(self, path: Keys, value: Any, field: dataclasses.Field, hint: Any) -> Any:
        allowed = field.metadata.get("units")
        if allowed:
            return self.quantity(path, value, allowed)
        if inner := _record_of(hint):
            return self.record(path, inner)
        choices = typing.get_args(hint)
        if not (value in choices if isinstance(value, str) and choices else type(value) is hint):
            self.fail(path, f"{path[-1]} = {shown(value)}: expected {_expected(field, hint)}")
        return value

    def quantity(self, path: Keys, value: Any, allowed: tuple[str, ...]) -> Any:
        try:
            numbers, unit = _si(value, allowed, path[-1])
        except NsnnError as error:
            self.fail(path, str(error))
        return numbers if unit == "1" else units.brian(numbers, unit)

    def run(self) -> dict[str, Any]:
        if "run" not in self.data:
            self.fail((), 'no [run]: expected a table [run] with duration = "2 s", say')
        table = self.table(("run",), '[run] with duration = "2 s"')
        self.check_keys(("run",), table, list(_RUN), "[run]")
        if "duration" not in table:
            self.fail(("run",), f"[run] has no duration: expected {_EXAMPLES['s']}")
        for key, value in table.items():
            if _RUN[key] is not _TIME and not _RUN[key][0](value):
                self.fail(("run", key), f"{key} = {shown(value)}: expected {_RUN[key][1]}")
        return {k: self.quantity(("run", k), v, ("s",)) if _RUN[k] is _TIME else v for k, v in table.items()}
