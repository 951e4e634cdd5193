"""Faster loops for C++ programs: what compilers do not make of Brian2's text by themselves. Results stay as they are.

- Random words are drawn for many neurons at a time before the loop that turns them into numbers (`program_loops.h`).
- Poisson numbers are drawn for many neurons at a time after the loop that sets their means.
- Of the numbers of four steps a loop reads those of its own step only.
- Flags are as wide as the refractory count that they come from, what they multiply is a choice, and what is above 0 is a maximum:
  fewer instructions.
- The loop over thresholds visits the neurons that are `due` only, and draws for them together.

What has another form is left alone; `tests/brian/test_program_loops.py` holds the texts to this one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from brian2 import NeuronGroup
from brian2.core.functions import Function

HEADER = "program_loops.h"
HEADER_TEXT = (Path(__file__).parent / HEADER).read_text(encoding="utf-8")
_STEP_LOOP = re.compile(r"^( *)for\(int _idx=0; _idx<_N; _idx\+\+\)\n *\{\n(.*?)^\1\}$", re.M | re.S)
_THRESHOLD_LOOP = re.compile(
    r"^( *)for\(size_t _idx=0; _idx<(\w+); _idx\+\+\)\n *\{\n(.*?)^\1\}$", re.M | re.S
)
_WHO = r"t_in_timesteps, noise_neuron, noise_trial, noise_point, (?P<stream>\d+), noise_key0, noise_key1"
_KEYS = "(uint32_t)noise_key0, (uint32_t)noise_key1"
_IN_TURN = re.compile(rf"nsnn_(?P<kind>normal|uniform)_in_turn\((?P<turn>[0-3]), {_WHO}\)")
_CROSSED = re.compile(rf"nsnn_crossed\({_WHO}, (?P<gap>\w+)\)")
_CHOSEN = re.compile(r"nsnn(?:_smooth)?_in_turn\(t_in_timesteps, (\w+), (\w+), (\w+), (\w+)\)")
_JUMPS = re.compile(r"^ *(?P<name>\w+) = nsnn_jumps\((?P<arguments>.*)\);$", re.M)
_DUE = re.compile(r"const int32_t due = (\w+)\[_idx\];")
_FLAG = re.compile(r"const int64_t (?P<flag>free|part) = int_\(")
# Of a step that is part of one after the refractory time, as `group_text.either` writes it, with or without what all neurons share
_DIFFERENCE = re.compile(r"^ *const \w+ (_lio_\d+) = (\w+)_part - \2;$", re.M)
_PART_SHARED = re.compile(r"(?P<before>\(|= )(?P<whole>\w+) \+ \((?P<difference>_lio_\d+) \* part\)(?=[);])")
_PART = re.compile(r"(?P<before>\(|= )(?P<whole>\w+) \+ \(part \* \((?P=whole)_part - (?P=whole)\)\)(?=[);])")
_FREE = re.compile(r"= (?P<before>\w+) \+ \(free \* \((?P<change>.*)\)\);$", re.M)
_NORMAL = re.compile(r"= nsnn_box_muller\(\(uint32_t\)(\w+)\[0\]")
_ABOVE = re.compile(r"0\.25 \* \(\((\w+) \+ _brian_abs\(\1\)\) \* \((\w+) \+ _brian_abs\(\2\)\)\)")


def with_fast_loops(code: Any, text: str) -> str:
    """The text of a code object with faster loops."""
    if not isinstance(code.owner, NeuronGroup):
        return text
    if any(isinstance(value, Function) and not value.stateless for value in code.variables.values()):
        return text  # the order of the calls matters
    if code.template_name == "stateupdate":
        wholes = dict(_DIFFERENCE.findall(text))
        return _STEP_LOOP.sub(lambda loop: _step(loop, wholes), text)
    if code.template_name == "threshold":
        return _THRESHOLD_LOOP.sub(_threshold, text)
    return text


def included(text: str) -> str:
    """A C++ file of code objects, with the header if they use it: first, as they include others within their namespaces."""
    return f'#include "{HEADER}"\n{text}' if "NSNN_DRAWN" in text or "NSNN_SEARCHED" in text else text


def _chosen(body: str, wholes: dict[str, str]) -> str:
    """A loop whose flags choose, in place of a product with them; wholes: of the differences computed before it, what from."""

    def shared(found: re.Match[str]) -> str:
        whole = found["whole"]
        if wholes.get(found["difference"]) != whole:
            return found[0]
        return f"{found['before']}(part ? {whole}_part : {whole})"

    def free(found: re.Match[str]) -> str:
        if not _balanced(found["change"]):
            return found[0]
        return f"= free ? {found['before']} + ({found['change']}) : {found['before']};"

    own = _PART.sub(r"\g<before>(part ? \g<whole>_part : \g<whole>)", body)
    return _FREE.sub(free, _PART_SHARED.sub(shared, own))


def _balanced(text: str) -> bool:
    """Whether all parentheses are closed, and opened, within a text.

    >>> _balanced("(a) * (b)"), _balanced("a) * (b"), _balanced("((a)")
    (True, False, False)
    """
    depth = 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            return False
    return depth == 0


def _step(loop: re.Match[str], wholes: dict[str, str]) -> str:
    """A loop over all neurons; its members are independent, which the compiler need not check in each call."""
    body = _FLAG.sub(r"const int32_t \g<flag> = int_(", loop[2])
    body = _ABOVE.sub(r"nsnn_above(\1) * nsnn_above(\2)", _chosen(body, wholes))
    before: list[str] = []
    words: dict[str, tuple[str, int]] = {}  # array of words -> the counter of their block, and its kind

    def chosen(call: re.Match[str]) -> str:
        arrays = [_array_of(name, body) for name in call.groups()]
        if None in arrays:
            return call[0]
        name = f"_turn_{len(before)}"
        before.append(
            f"const auto* const {name} = t_in_timesteps & 2 ? (t_in_timesteps & 1 ? {arrays[3]} : {arrays[2]}) : "
            f"(t_in_timesteps & 1 ? {arrays[1]} : {arrays[0]});"
        )
        return f"{name}[_idx]"

    def drawn(call: re.Match[str]) -> str:
        turn, stream = int(call["turn"]), int(call["stream"])
        if call["kind"] == "normal":
            name = f"_words_{stream}"
            words[name] = "(uint32_t)(t_in_timesteps >> 2)", stream | 128
            radius, angle = (f"(uint32_t){name}[{turn // 2 * 2 + k}][_idx - _first]" for k in (0, 1))
            return f"nsnn_box_muller({radius}, {angle}{' - 0x40000000u' * (turn % 2)})"
        pair = turn // 2
        name = f"_words_{stream}_{pair}"
        words[name] = f"(uint32_t)(t_in_timesteps >> 2 << 1) + {pair}", stream
        return f"nsnn_uniform_of({_bits(name, str(turn % 2), '_idx - _first')})"

    fast, arrays, after = _with_jumps(_IN_TURN.sub(drawn, _CHOSEN.sub(chosen, body)))
    head = [*before, "#pragma GCC ivdep"]
    if not words and not arrays:
        return "\n".join([*head, "for(int _idx=0; _idx<_N; _idx++)", "{", f"{fast}}}"])
    lines = [*_first_to_end("int", "_N", "NSNN_DRAWN"), *arrays]
    for name, (first, kind) in words.items():
        lines += [
            f"uint64_t {name}[4][NSNN_DRAWN];",
            f"nsnn_words_of(_end - _first, {first}, {_who(body)}, {kind}, {_KEYS}, {name});",
        ]
    rest, calls = _with_normals(fast)
    if calls:
        rest = "\n".join(
            ["#ifdef NSNN_NORMALS", *calls, *_loop(head, rest), "#else", *_loop(head, fast), "#endif"]
        )
    else:
        rest = "\n".join(_loop(head, fast))
    return "\n".join([*lines, rest, *after, "}"])


def _loop(head: list[str], body: str) -> list[str]:
    return [*head, "for(int _idx=_first; _idx<_end; _idx++)", "{", f"{body}}}"]


def _with_normals(body: str) -> tuple[str, list[str]]:
    """A loop without the normals of four steps that it does nothing with but store, and the calls that draw them all at once."""
    calls = []
    for name in dict.fromkeys(_NORMAL.findall(body)):
        lines, arrays = [], []
        for turn in range(4):
            radius, angle = (rf"\(uint32_t\){name}\[{turn // 2 * 2 + k}\]\[_idx - _first\]" for k in (0, 1))
            later = r" - 0x40000000u" * (turn % 2)
            drawn = re.search(rf"^ *(\w+) = nsnn_box_muller\({radius}, {angle}{later}\);\n", body, re.M)
            stored = _stored(drawn[1], body) if drawn else None
            if drawn and stored:
                lines += [drawn[0], stored[0]]
                arrays.append(f"{stored[1]} + _first")
        if len(arrays) < 4 or len(re.findall(rf"\b{name}\b", body)) != 8:
            continue
        for line in lines:
            body = body.replace(line, "")
        calls.append(f"nsnn_normals_of(_end - _first, {name}, {', '.join(arrays)});")
    return body, calls


def _stored(name: str, body: str) -> re.Match[str] | None:
    """The line that stores a variable, if it is declared, set and stored, and not used for anything else."""
    stored = re.search(rf"^ *(\w+)\[_idx\] = {name};\n", body, re.M)
    return stored if len(re.findall(rf"\b{name}\b", body)) == 3 else None


def _with_jumps(body: str) -> tuple[str, list[str], list[str]]:
    """A loop that writes the arguments of Poisson numbers to arrays, these, and the calls after it that draw the numbers.

    Numbers that the loop itself uses are drawn in it.
    """
    arrays, calls = [], []
    for call in list(_JUMPS.finditer(body)) if "nsnn_jumps(" in body else []:  # the search takes milliseconds
        name, arguments = call["name"], _separated(call["arguments"])
        stored = _stored(name, body)
        if stored is None:
            continue
        places = [f"_{name}_{k}" for k in range(len(arguments))]
        arrays += [f"double {place}[NSNN_DRAWN];" for place in places]
        given = " ".join(
            f"{place}[_idx - _first] = {text};" for place, text in zip(places, arguments, strict=True)
        )
        body = body.replace(call[0], given).replace(stored[0], "")
        calls.append(f"nsnn_jumps_of(_end - _first, {', '.join(places)}, {stored[1]} + _first);")
    return body, arrays, calls


def _separated(arguments: str) -> list[str]:
    """The arguments of a call.

    >>> _separated("a[i], (b + c(d, e)), f")
    ['a[i]', '(b + c(d, e))', 'f']
    """
    parts, depth = [""], 0
    for letter in arguments:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _threshold(loop: re.Match[str]) -> str:
    """A loop over thresholds, which visits the neurons that are due."""
    _, number, body = loop.groups()
    due = _DUE.search(body)
    if due is None:
        return loop[0]
    lines = [
        *_first_to_end("size_t", number, "NSNN_SEARCHED"),
        "int32_t _where[NSNN_SEARCHED + 16];",
        f"const int _found = nsnn_where_due(_end - _first, {due[1]} + _first, _where);",
    ]
    crossed = _CROSSED.search(body)
    if crossed is not None:
        who = _who(body)
        gap = f"{_array_of(crossed['gap'], body)} + _first"
        lines += [
            "double _crossed[NSNN_SEARCHED];",
            f"nsnn_crossed_at(_found, _where, t_in_timesteps, {who}, {crossed['stream']}, {_KEYS}, {gap}, _crossed);",
        ]
        body = body.replace(crossed[0], "_crossed[_k]")
    lines += [
        "for(int _k=0; _k<_found; _k++)",
        "{",
        "const size_t _idx = _first + _where[_k];",
        f"{body}}}",
        "}",
    ]
    return "\n".join(lines)


def _first_to_end(kind: str, number: str, most: str) -> list[str]:
    return [
        f"for({kind} _first=0; _first<{number}; _first+={most})",
        "{",
        f"const {kind} _end = _first + {most} < {number} ? _first + {most} : {number};",
    ]


def _who(body: str) -> str:
    return ", ".join(f"{_array_of(f'noise_{word}', body)} + _first" for word in ("neuron", "trial", "point"))


def _bits(name: str, odd: str, at: str) -> str:
    """The 64 bits of the even or the odd step."""
    return f"({name}[2 * {odd} + 1][{at}] << 32) | (uint32_t){name}[2 * {odd}][{at}]"


def _array_of(name: str, body: str) -> str | None:
    """The array from which a loop reads a variable."""
    read = re.search(rf"^ *const \w+ {name} = (\w+)\[_idx\];$", body, re.M)
    return read[1] if read else None
