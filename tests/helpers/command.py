"""The command `nsnn` as its script starts it, a configuration, and what it says on stderr."""

from __future__ import annotations

import pytest

from nsnn_neuro.cli.main import main

__all__ = ["RUN", "error", "main"]

RUN = """\
# white noise
[model]
type = "LIF"
tau_m = "20 ms"
v_rest = "0 mV"
v_reset = "10 mV"
v_thresh = "20 mV"
tau_refrac = "2 ms"

[noise]
type = "WhiteNoise"
sigma = "3.5 mV"

[stimulus]
type = "Constant"
v = "15 mV"

[run]
n_neurons = 3
trials = 2
duration = "0.2 s"
dt = "0.1 ms"
seed = 1
engine = "numpy"
"""


def error(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr, without its beginning "nsnn: "; nothing is on stdout."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("nsnn: ")
    assert err.count("\n") == 1
    return err.removeprefix("nsnn: ").rstrip("\n")
