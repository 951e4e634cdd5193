"""Damaged configurations."""
# Imports internals: thousands of damaged files are read without the start of a command for each.

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from helpers.fuzz.mutations import SEED, Case, changed_bytes

TOML = """
[model]
type = "LIF"
tau_m = "20 ms"
v_rest = "0 mV"
v_reset = "10 mV"
v_thresh = ["20 mV", "21 mV"]
tau_refrac = "2 ms"
[noise]
type = "EscapeNoise"
family = {type = "Gaussian", sigma = "0.4 mV"}
[stimulus]
type = "Sinusoid"
mean = "15 mV"
amplitude = "3 mV"
frequency = "10 Hz"
[run]
duration = "2 s"
n_neurons = 2
seed = 12
dt = "0.1 ms"
bridge = true
[sweep]
measures = ["firing_rate", {name = "fano_factor", window = "100 ms"}]
chunk = 4
[sweep.grid]
noise.family.sigma = ["0.2 mV", "0.4 mV"]
stimulus.mean = {from = "10 mV", to = "20 mV", n = 5}
"""


TOKENS = ["[", "]", "{", "}", "=", ".", ",", '"', "'", '"""', "\n", "#", "10", "1e400", "nan", "inf", "-1", "true",
          '"9**9**9 mV"', "\\u0000", "sweep", "model", "n", "from", "9" * 5000, "1979-05-27", '"20 ms"', "[[", "]]", "é", "\x1b[2J",
          "__import__('os')", "0x" + "f" * 400]  # fmt: skip


VALUES = ['"20 ms"', '"3 mV"', "0.5", "3", '["1 mV", "2 mV"]', "-1", "1e308", "inf", "[]", "{}", "true", '"hard"', '"9e99 s"',
          '"\\u0000"', "9" * 400, '"LIF"', "[{a = 1}]", '{from = "1 mV", to = "2 mV", n = 3}', "1979-05-27", '"0 s"', "[[[1]]]",
          '"1e-400 ms"']  # fmt: skip


TOML_BOMBS = [
    "a" + ".a" * 400_000 + " = 1",
    "[" + "a" + ".a" * 400_000 + "]",
    "[[a]]\n" * 150_000,
    "a = " + "[" * 400_000,
    "a = {b = " * 100_000,
    "\n".join(f"[a{k}]" for k in range(120_000)),
    "[model]\n" + "\n".join(f"k{k}.a.b.c.d.e.f = 1" for k in range(40_000)),
    "a = " + "9" * 900_000,
    TOML + "\n".join(f'noise.x{k} = {{from = "1 mV", to = "2 mV", n = 1048576}}' for k in range(30)),
    TOML.replace("n = 5}", "n = 1048576}").replace(
        '["0.2 mV", "0.4 mV"]', '{from = "1 mV", to = "2 mV", n = 1048576}'
    ),
    TOML.replace('"20 ms"', '["1 ms"' + ', "1 ms"' * 90_000 + "]"),
    "x" * 1_000_001,
]


def toml_cases(folder: Path) -> Callable[[int], Case]:
    """Configurations with bytes and words changed, and bombs; read with their grids."""
    from nsnn_neuro.cli import config, sweep_config
    from nsnn_neuro.sweep import grid

    def case(k: int) -> Case:
        rng = np.random.default_rng([SEED, 1, k])
        path = folder / f"{k}.toml"
        if k < len(TOML_BOMBS):
            path.write_text(TOML_BOMBS[k], encoding="utf-8")
        elif k % 4 == 0:
            lines = TOML.splitlines()
            line = int(rng.choice([j for j, one in enumerate(lines) if " = " in one]))
            lines[line] = lines[line].split(" = ")[0] + " = " + VALUES[int(rng.integers(len(VALUES)))]
            path.write_text("\n".join(lines), encoding="utf-8")
        elif k % 2:
            path.write_bytes(changed_bytes(TOML.encode(), rng))
        else:
            text = TOML
            for _ in range(int(rng.integers(1, 6))):
                a, b = sorted(int(x) for x in rng.integers(0, len(text), 2))
                b = min(b, a + int(rng.integers(0, 12)))
                text = text[:a] + TOKENS[int(rng.integers(len(TOKENS)))] + text[b:]
            path.write_text(text, encoding="utf-8")

        def read() -> str:
            found = config.read(path)
            if found.sweep is None:
                return "read"
            given = sweep_config.arguments(found)
            grid.read(given["model"], given["noise"], given["stimulus"], given["grid"])
            return "read"

        return read

    return case
