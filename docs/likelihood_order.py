"""Order of convergence of the likelihood in the width of cells and in the step: draws docs/img/likelihood_order.png.

The error of the survival after 50 ms, of four neurons, beside a reference with many cells and short steps. A test computes some
points of it again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from brian2 import Hz, ms, mV

import nsnn_neuro as nsnn
from nsnn_neuro.likelihood import survival

FIGURE = Path(__file__).with_name("img") / "likelihood_order.png"
VOLTAGES = {"v_rest": 0 * mV, "v_reset": 10 * mV, "tau_refrac": 2 * ms}
SINE = nsnn.Sinusoid(15 * mV, 8 * mV, 20 * Hz)
LIF = nsnn.LIF(tau_m=20 * ms, v_thresh=20 * mV, **VOLTAGES)
EIF = nsnn.EIF(tau_m=20 * ms, v_thresh=15 * mV, delta_T=2 * mV, v_spike=30 * mV, **VOLTAGES)
GIF = nsnn.GIF(
    tau_m=20 * ms, v_thresh=20 * mV, tau_w=30 * ms, b=1 * mV, tau_thresh=10 * ms, b_thresh=1 * mV, lift_start=4 * mV, **VOLTAGES
)  # fmt: skip
CASES: dict[str, tuple[Any, Any, Any]] = {
    "LIF, constant drive": (LIF, nsnn.WhiteNoise(3.5 * mV), nsnn.Constant(15 * mV)),
    "LIF, sinusoid": (LIF, nsnn.WhiteNoise(3.5 * mV), SINE),
    "GIF, moving threshold, sinusoid": (GIF, nsnn.WhiteNoise(3.5 * mV), SINE),
    "EIF, constant drive": (EIF, nsnn.WhiteNoise(3 * mV), nsnn.Constant(14 * mV)),
}
CELLS = (32, 48, 64, 96, 128, 192, 256, 384)
STEPS = (0.0125, 0.025, 0.05, 0.1, 0.2, 0.4)  # ms; the first is that of the reference
MANY, SHORT = 1536, 0.05


def lived(name: str, n_cells: int, dt: float) -> float:
    """The survival after 50 ms with so many cells and a step of dt ms."""
    model, noise, stimulus = CASES[name]
    return float(survival(model, 50 * ms, noise=noise, stimulus=stimulus, n_cells=n_cells, dt=dt * ms))


def in_cells(name: str, cells: tuple[int, ...] = CELLS) -> np.ndarray:
    """Errors from the width of cells alone, (n,): the step is that of the reference."""
    true = lived(name, MANY, SHORT)
    return np.array([abs(lived(name, n, SHORT) - true) for n in cells])


def in_steps(name: str, steps: tuple[float, ...] = STEPS[1:], n_cells: int = 192) -> np.ndarray:
    """Errors from the step alone, (n,): the cells are the same."""
    true = lived(name, n_cells, STEPS[0])
    return np.array([abs(lived(name, n_cells, dt) - true) for dt in steps])


def main() -> None:
    """Draw the figure."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(7.0, 3.0), layout="constrained")
    marks = dict(zip(CASES, ("o", "s", "^", "D"), strict=True))
    colours = dict(zip(CASES, ("#0072B2", "#E69F00", "#009E73", "#CC79A7"), strict=True))
    for name in CASES:
        style: dict[str, Any] = {"marker": marks[name], "ms": 4, "lw": 1, "color": colours[name]}
        left.loglog(CELLS, in_cells(name), label=name, **style)
        right.loglog(STEPS[1:], in_steps(name), **style)
    n, dt = np.array([64, 384]), np.array([0.05, 0.4])
    left.loglog(n, 2e-3 * (n / 64.0) ** -2, "k:", lw=1)
    right.loglog(dt, 1e-4 * (dt / 0.4) ** 2, "k:", lw=1, label="second order")
    left.set(xlabel="Cells", ylabel="Error of survival")
    right.set(xlabel="Step (ms)")
    for axes, ticks in ((left, [32, 64, 128, 256]), (right, [0.025, 0.05, 0.1, 0.2, 0.4])):
        axes.xaxis.set_major_locator(plt.FixedLocator(ticks))
        axes.xaxis.set_major_formatter(plt.FuncFormatter(lambda x, _: f"{x:g}"))
        axes.xaxis.set_minor_locator(plt.NullLocator())
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    figure.savefig(FIGURE, dpi=110)


if __name__ == "__main__":
    main()
