"""Checks of arguments, with one wording: `NAME = VALUE: expected ...`.

Each check returns the value in the type that the package computes with, or raises NsnnError. `check` looks its checks up by
the names of the options, so that an option is checked in the same way wherever it occurs.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import inspect
import os
import re
import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import numpy as np

from .errors import ArgumentError, NsnnError
from .units import describe, floats, shown, si

F = TypeVar("F", bound=Callable[..., Any])
LARGEST = 2**31 - 1  # The largest number of shuffles, bins, folds and the like: no array holds more elements


def whole(value: Any, least: int, name: str, most: int | None = None) -> int:
    """`value` as an integer from `least` to `most`.

    >>> whole(2.5, 1, "k")
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: k = 2.5: expected a whole number, at least 1
    """
    integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not integer or value < least or (most is not None and value > most):
        limits = f", at least {least}" if most is None else f" from {least} to {most}"
        raise NsnnError(f"{name} = {shown(value)}: expected a whole number{limits}")
    return int(value)


def number(value: Any, name: str, expected: str = "a finite number without a unit") -> float:
    """`value` as a finite float."""
    unit = hasattr(value, "dim") or hasattr(value, "dimensionality")
    x = floats(value, name, expected)
    if x.ndim or not np.isfinite(x) or unit or isinstance(value, bool | np.bool_):
        raise NsnnError(f"{name} = {shown(value)}: expected {expected}")
    return float(x)


def non_negative(value: Any, name: str) -> float:
    """`value` as a finite float, at least 0."""
    return _within(value, name, np.inf, "a finite number, at least 0")


def fraction(value: Any, name: str) -> float:
    """`value` as a float from 0 to 1."""
    return _within(value, name, 1, "a number from 0 to 1")


def _within(value: Any, name: str, most: float, expected: str) -> float:
    x = number(value, name, expected)
    if not 0 <= x <= most:
        raise NsnnError(f"{name} = {shown(value)}: expected {expected}")
    return x


def positive(value: Any, unit: str, name: str) -> float:
    """`value`, a quantity, as one positive SI float; for the symbol of the unit see `units.si`.

    >>> import quantities as pq
    >>> positive(20 * pq.ms, "s", "window")
    0.02
    """
    x = si(value, unit, name)
    if np.ndim(x) != 0 or not x > 0:
        raise NsnnError(f"{name} = {value}: expected {describe(unit)}, greater than 0")
    return float(x)


def scalar(
    value: Any, unit: str, name: str, *, least: float = -np.inf, above: float = -np.inf, most: float = np.inf
) -> float:
    """`value`, a quantity, as one finite SI float within bounds.

    >>> scalar(1.5, "1", "epsilon", above=0, most=1)
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: epsilon = 1.5: expected one number above 0, at most 1 (a plain number such as 0.5)
    """
    x = si(value, unit, name)
    if np.ndim(x) or not (least <= x <= most and x > above and np.isfinite(x)):
        symbol = "" if unit == "1" else f" {unit}"
        bounds = f"above {above:g}{symbol}" if np.isfinite(above) else f"of at least {least:g}{symbol}"
        upper = f", at most {most:g}{symbol}" if np.isfinite(most) else ""
        raise NsnnError(f"{name} = {value}: expected one number {bounds}{upper} ({describe(unit)})")
    return float(x)


def instance(value: Any, kind: Any, name: str, expected: str) -> Any:
    """`value`, which has to be an instance of `kind`."""
    if not isinstance(value, kind):
        raise NsnnError(f"{name} = {shown(value)}: expected {expected}")
    return value


def file_path(value: Any, name: str) -> Path:
    """`value`, the name of a file or folder, as a Path.

    >>> file_path(3, "path")
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: path = 3: expected the name of a file or folder, as text or a Path
    """
    if not isinstance(value, str | os.PathLike) or "\0" in str(value):
        raise NsnnError(f"{name} = {shown(value)}: expected the name of a file or folder, as text or a Path")
    return Path(value)


def flag(value: Any, name: str) -> bool:
    """`value` as a bool."""
    if not isinstance(value, bool | np.bool_):
        raise NsnnError(f"{name} = {shown(value)}: expected True or False")
    return bool(value)


def did_you_mean(value: Any, choices: Iterable[Any]) -> str:
    """End of a message that suggests the choice closest to `value`; empty when none is close.

    A name all of whose words are in the other one, such as tau in tau_noise, is close too.

    >>> did_you_mean("panzeri-trevs", ["plugin", "panzeri-treves"])
    "; did you mean 'panzeri-treves'?"
    >>> did_you_mean("tau", ["sigma", "tau_noise"]), did_you_mean("simulate_network", ["fit_network", "simulate"])
    ("; did you mean 'tau_noise'?", "; did you mean 'simulate'?")
    """
    if not isinstance(value, str):
        return ""
    text, words = value.lower()[:80], _words(value[:80])
    texts = {choice.lower(): choice for choice in choices if isinstance(choice, str)}
    related = {
        key: other[0] == words[0]
        for key, other in ((key, _words(choice)) for key, choice in texts.items())
        if words and other and (set(other) <= set(words) or set(words) <= set(other))
    }
    begins = [key for key, same_first_word in related.items() if same_first_word]
    for pool, cutoff in ((texts, 0.8), (begins, 0.3), (related, 0.3), (texts, 0.61)):
        if close := difflib.get_close_matches(text, pool, n=1, cutoff=cutoff):
            return f"; did you mean {texts[close[0]]!r}?"
    return ""


def _words(name: str) -> list[str]:
    """The words of a name in lower case: those of OUNoise are ou and noise."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def one_of(value: Any, choices: Iterable[Any], name: str) -> Any:
    """`value`, which has to be one of the choices: texts, whole numbers or None.

    >>> one_of("trian", ("train", "test"), "split")
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: split = 'trian': expected one of 'train', 'test'; did you mean 'train'?
    """
    known = list(choices)
    plain = value is None or (isinstance(value, str | int | np.integer) and not isinstance(value, bool))
    if not plain or value not in known:
        listed = ", ".join(map(repr, known))
        raise NsnnError(f"{name} = {shown(value)}: expected one of {listed}{did_you_mean(value, known)}")
    return value


def suggest_keywords(function: F, *, cure: str = "") -> F:
    """Decorator: a misspelt, missing or superfluous argument is answered with the closest name, or with what the docstring says.

    cure : ends the message about an unknown argument; {name} stands for its name

    >>> @suggest_keywords
    ... def simulate(model, *, duration, trials=1):
    ...     "duration : time, a whole number of steps"
    >>> simulate("LIF", trails=3)
    Traceback (most recent call last):
    nsnn_neuro.core.errors.ArgumentError: simulate has no argument 'trails'; did you mean 'trials'?
    >>> simulate("LIF", trials=3)
    Traceback (most recent call last):
    nsnn_neuro.core.errors.ArgumentError: simulate needs duration: time, a whole number of steps
    """

    @functools.wraps(function)
    def wrapper(*args: Any, **keywords: Any) -> Any:
        try:
            return function(*args, **keywords)
        except TypeError:
            name = function.__qualname__.removesuffix(".__init__")
            parameters = inspect.signature(function).parameters
            _check_arguments(name, parameters, function.__doc__, args, keywords, cure)
            raise

    return cast(F, wrapper)


# arguments of figures that measures of spikes have under other names, and the reverse; a closer name that is another thing
_SYNONYMS = (("units", "neurons"), ("neurons", "units"), ("hidden_noise", "noisy"), ("v_thresh", "v_spike"))
_INSTEAD = (
    ("window", "t_start", ": use t_start and t_stop, the ends of the window"),
    *((name, "window", ": use window=(start, stop)") for name in ("t_start", "t_stop")),
    ("conditions", "stimulus", ": use stimulus, the label of each trial"),
    *((a, b, f"; did you mean {b!r}?") for a, b in _SYNONYMS),
)


def refuse_unknown(function: str, given: Iterable[str], names: Collection[str], cure: str = "") -> None:
    """Raise `ArgumentError` for the first given keyword that is not among the names of a function's or class's arguments."""
    for key in given:
        if key not in names:
            listed = f"one of {', '.join(names)}" if names else "no such arguments"
            hint = next((cure for old, other, cure in _INSTEAD if key == old and other in names), None)
            hint = hint or did_you_mean(key, names) or f": expected {listed}"
            raise ArgumentError(f"{function} has no argument {key!r}{hint}{cure.format(name=key)}") from None


def _check_arguments(
    function: str,
    parameters: Mapping[str, inspect.Parameter],
    doc: str | None,
    args: tuple[Any, ...],
    keywords: dict[str, Any],
    cure: str = "",
) -> None:
    """Raise `ArgumentError` for an argument of a call that is unknown, missing or one too many."""
    for p in parameters.values():
        fields = dataclasses.fields(p.default) if dataclasses.is_dataclass(p.default) else ()
        for name in {field.name for field in fields} & keywords.keys() - parameters.keys():
            place = f"{p.name}={type(p.default).__name__}({name}=...)"
            raise ArgumentError(f"{function} has no argument {name!r}: use {place}") from None
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):  # such a function checks them itself
        refuse_unknown(function, keywords, parameters, cure)
    places = [n for n, p in parameters.items() if p.kind is not p.KEYWORD_ONLY]
    own = len(places) - ("self" in places)  # those that a caller writes
    if len(args) > len(places) and own and not any(p.kind is p.VAR_POSITIONAL for p in parameters.values()):
        entry, more = _entry(places[-1], doc), len(args) - len(places)
        named = [f"{n}=..." for n, p in parameters.items() if p.kind is p.KEYWORD_ONLY and n not in keywords]
        raise ArgumentError(
            f"{function} takes {own} argument{'s' * (own > 1)} without a name, and {more + own} were given: "
            f"{function}({', '.join(places[-own:] + named[:more])}){f'; {places[-1]}: {entry}' if entry else ''}"
        ) from None
    missing = [n for n in _required(parameters) if n not in keywords and n not in places[: len(args)]]
    if missing:
        entry = _entry(missing[0], doc) if len(missing) == 1 else ""
        raise ArgumentError(f"{function} needs {', '.join(missing)}{f': {entry}' if entry else ''}") from None


def _entry(name: str, doc: str | None) -> str:
    """The beginning of what a docstring says about an argument, or ""."""
    entry = re.search(rf"^( *)(?:\w+, )*{name}(?:, \w+)* : (.+(?:\n\1 +.+)*)", doc or "", re.MULTILINE)
    return textwrap.shorten(entry[2], 200) if entry else ""


def _required(parameters: Mapping[str, inspect.Parameter]) -> list[str]:
    """The arguments without a default."""
    return [n for n, p in parameters.items() if p.default is p.empty and "VAR" not in p.kind.name]


@functools.lru_cache(maxsize=256)
def _of_class(kind: Any) -> tuple[dict[str, inspect.Parameter], frozenset[str]]:
    """The arguments of a class, and those without a default."""
    parameters = dict(list(inspect.signature(kind.__init__).parameters.items())[1:])
    return parameters, frozenset(_required(parameters))


class SuggestsKeywords:
    """Base of classes that answer a misspelt or missing argument as `suggest_keywords` does."""

    def __new__(cls, *args: Any, **keywords: Any) -> Self:
        """Refuse arguments that `__init__` does not take; copies are made without arguments."""
        parameters, required = _of_class(cast(Any, cls))
        if not args and required <= keywords.keys() <= parameters.keys():  # most calls
            return super().__new__(cls)
        if args and parameters and all(p.kind is p.KEYWORD_ONLY for p in parameters.values()):
            raise ArgumentError(
                f"{cls.__name__} takes its arguments by name: {cls.__name__}({next(iter(parameters))}=..., ...)"
            )
        if args or keywords:
            _check_arguments(cls.__name__, parameters, cls.__doc__, args, keywords)
        return super().__new__(cls)


def check_seed(seed: Any) -> int:
    """`seed` as an int from 0 to 2**63 - 1; None draws a fresh one."""
    if seed is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0]) >> 1
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**63:
        raise NsnnError(f"seed = {shown(seed)}: expected None or an integer from 0 to 2**63 - 1")
    return int(seed)


def check(**values: Any) -> None:
    """Check options by their names; raise NsnnError for the first that is not of the right kind.

    Which texts a choice allows is checked where the choice is used, by `one_of`.

    >>> check(n_shuffle=100, seed=0, bias=None)
    >>> check(n_shuffle=2.5)
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: n_shuffle = 2.5: expected a whole number, at least 0
    """
    for name, value in values.items():
        _KINDS[name](value, name)


def _count(value: Any, name: str, least: int) -> None:
    if whole(value, least, name) > LARGEST:
        whole(value, least, name, LARGEST)


def _text(value: Any, name: str) -> None:
    if value is not None and not isinstance(value, str):
        raise NsnnError(f"{name} = {shown(value)}: expected the name of a choice, as text")


def _seeds(value: Any, name: str) -> None:
    for one in value if isinstance(value, list | tuple) and value else [value]:
        whole(one, 0, name)


def _function(value: Any, name: str) -> None:
    if not callable(value):
        raise NsnnError(f"{name} = {shown(value)}: expected a function")


def _unless_none(kind: Callable[[Any, str], Any]) -> Callable[[Any, str], None]:
    def checked(value: Any, name: str) -> None:
        if value is not None:
            kind(value, name)

    return checked


_KINDS: dict[str, Callable[[Any, str], Any]] = {
    **dict.fromkeys(("n_shuffle", "n_resample", "min_shift", "ddof"), partial(_count, least=0)),
    **dict.fromkeys(("n_bins", "k", "variant"), partial(_count, least=1)),
    **dict.fromkeys(("n_blocks", "n_folds", "n_groups", "nperseg"), partial(_count, least=2)),
    **dict.fromkeys(("bias", "bins", "by", "method", "over", "saturation"), _text),
    **dict.fromkeys(("normal_scores", "shuffled", "zscore"), flag),
    **dict.fromkeys(("confidence", "ratio", "threshold", "z"), number),
    "distance": _function,
    "n_symbols": _unless_none(number),
    **dict.fromkeys(("neuron", "noverlap"), _unless_none(partial(_count, least=0))),
    "seed": _seeds,
}
