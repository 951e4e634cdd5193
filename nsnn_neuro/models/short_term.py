"""Short-term plasticity: how strongly a synapse transmits a spike depends on the spikes before it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import quantities as pq

from ..core import units
from ..core.errors import NsnnError
from ..core.parameters import Scalars, parameter


@dataclasses.dataclass(frozen=True, eq=False)
class TsodyksMarkram(Scalars):
    """Short-term depression and facilitation of a projection: a spike transmits the weight times u x.

    x is the share of the transmitter that is there, u the share of it that a spike uses. Between spikes x recovers towards 1 with
    tau_rec and u decays with tau_facil. At the n-th spike, an interval D after the one before,

        u_n = U + (1 - U) u_(n-1) exp(-D / tau_facil),      x_n = 1 - (1 - x_(n-1) (1 - u_(n-1))) exp(-D / tau_rec)

    The first spike has u = U and x = 1, so that it transmits U times the weight.

    Parameters
    ----------
    U : number above 0, at most 1, the share that is used at rest
    tau_rec : time >= 0, of recovery from depression; 0: no depression
    tau_facil : time >= 0, of facilitation; 0, the default: no facilitation

    Source: Tsodyks, Pawelzik & Markram 1998, doi 10.1162/089976698300017502

    >>> from brian2 import ms
    >>> depressing = TsodyksMarkram(U=0.5, tau_rec=800*ms)
    >>> depressing.efficacies([0, 20, 40, 1000] * ms).round(3).tolist()
    [0.5, 0.256, 0.137, 0.37]
    """

    U: Any = parameter("1", bound="positive")
    tau_rec: Any = parameter("s", bound="non-negative")
    tau_facil: Any = parameter("s", bound="non-negative", default=0.0 * pq.ms)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.si("U") > 1:
            raise NsnnError(f"U = {self.U}: expected a number above 0, at most 1")

    def efficacies(self, times: Any) -> np.ndarray:
        """u x of each spike of a train, the share of the weight that it transmits, (n,).

        times : (n,) times of spikes, or a neo.SpikeTrain, in their order
        """
        at = np.asarray(units.si(times, "s", "times"), dtype=float)
        if at.ndim != 1 or not np.isfinite(at).all() or (np.diff(at) < 0).any():
            raise NsnnError(
                f"times = {units.short(times)}: expected the times of spikes in their order, (n,)"
            )
        return self.shares(at)

    def shares(self, at: np.ndarray) -> np.ndarray:
        """`efficacies` of times in s, (n,), without checks."""
        share, recovery, facilitation = (float(self.si(name)) for name in ("U", "tau_rec", "tau_facil"))
        gone, kept = (
            np.exp(-np.diff(at, prepend=at[:1]) / tau) if tau > 0 else np.zeros(at.size)
            for tau in (recovery, facilitation)
        )
        sent, left, used = np.empty(at.size), 1.0, 0.0
        for n in range(at.size):
            used = share + (1 - share) * used * kept[n]
            there = 1 - (1 - left) * gone[n]
            sent[n] = used * there
            left = there - sent[n]
        return sent

    def lines(self, names: dict[str, str]) -> tuple[list[str], list[str]]:
        """Text in Brian2's syntax for a spike that arrives: lines before it acts, which set `sent`, and after it.

        names : of U, tau_rec and tau_facil. The synapse has the states `used`, `left` and `last_arrival`
        """
        before = ["gap = t - last_arrival"]
        if self.si("tau_facil") > 0:
            before.append(
                f"used = {names['U']} + (1 - {names['U']}) * used * exp(-gap / {names['tau_facil']})"
            )
        else:
            before.append(f"used = {names['U']}")
        there = f"1 - (1 - left) * exp(-gap / {names['tau_rec']})" if self.si("tau_rec") > 0 else "1.0"
        before += [f"left = {there}", "sent = used * left"]
        return before, ["left = left - sent", "last_arrival = t"]
