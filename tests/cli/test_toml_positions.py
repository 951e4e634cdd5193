"""The line of every key. Not public: messages show single lines."""

from __future__ import annotations

from nsnn_neuro.cli.toml_positions import key_lines

VALUES = [
    "-0.5e3",
    '"a # b = [c]"',
    "'\\\\'",
    '""',
    '"\\""',
    '""""quoted""""',
    '"""a"" \\""""',
    "[ {a.b = 1, c = [\n]}, {} ]",
    "{}",
]
LONG = ['"""\n[x]\ny = 1\n"""', "'''\n\n# '' '''", "[1,\n 2, # three ]\n [3, '''\n''']\n]"]


def test_keys_after_values_of_every_kind_have_their_lines() -> None:
    for value in [*VALUES, *LONG]:
        text = f"# [x]\n\"k ]=[\" = {value} # end\n\t\n[a . 'b.#']  # [c]\nd.e = {value}\nf = {{ g = {value}, h = 0 }} # i = 1\n"
        n = value.count("\n")
        expected = {
            ("k ]=[",): 2,
            ("a",): 4 + n,
            ("a", "b.#"): 4 + n,
            ("a", "b.#", "d"): 5 + n,
            ("a", "b.#", "d", "e"): 5 + n,
        }
        expected |= {
            ("a", "b.#", "f"): 6 + 2 * n,
            ("a", "b.#", "f", "g"): 6 + 2 * n,
            ("a", "b.#", "f", "h"): 6 + 3 * n,
        }
        found = key_lines(text)
        assert {path: found[path] for path in expected} == expected, value


def test_tables_in_an_array_belong_to_its_key() -> None:
    text = "x = [ {a = 1, b = [\n]}, {c = 2,\td.e = [[{}], 3]} ]"
    assert key_lines(text) == {
        ("x",): 1,
        ("x", "a"): 1,
        ("x", "b"): 1,
        ("x", "c"): 2,
        ("x", "d"): 2,
        ("x", "d", "e"): 2,
    }
