"""Claims of the study `network_states` with their verdicts, and its summary tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..harness import Claim
from .config import STATES

PUBLISHED = {"AI": 37.7, "SI fast": 60.7, "SI slow": 5.5}
"""rates (Hz) of simulations in Brunel 2000, 12,500 neurons"""
RESOLVING = {"SR": 1e-3, "SI fast": 1e-3, "SI slow": 10e-3}
"""s, a fifth to a third of the rhythm's period"""


def _mean(values: pd.Series) -> str:
    """Mean and standard error over networks, for people."""
    if len(values) < 2:
        return f"{values.mean():.3g}"
    return f"{values.mean():.3g} ± {values.std(ddof=1) / np.sqrt(len(values)):.2g}"


def _correlation(table: pd.DataFrame, state: str, window: float) -> pd.Series:
    """By network."""
    rows = table[(table.part == "correlation") & (table.state == state) & np.isclose(table.x, window)]
    return rows.set_index("network").value


def by_state(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The states' numbers, by network."""
    rows = table[table.part == "state"]
    return {
        name: rows[rows.state == name].set_index("network") for name in STATES if (rows.state == name).any()
    }


def claims(table: pd.DataFrame) -> list[Claim]:
    """The study's claims with their evidence, of the states that are in the table."""
    of = by_state(table)
    found = []
    if "AI" in of:
        found += _claims_of_ai(of["AI"])
        for name in of:
            if name != "AI":
                found += _claims_of_synchrony(table, name, of)
    if "SR" in of:
        found.append(_claim_of_sr(of))
    if "SI fast" in of:
        row = of["SI fast"]
        found.append(
            Claim(
                "SI fast: irregular neurons, CV above 0.3, at less than half the frequency of a rhythm of 130 to 220 Hz",
                bool(
                    row.cv.mean() > 0.3
                    and (row.rate < row.peak / 2).all()
                    and ((row.peak > 130) & (row.peak < 220)).all()
                ),
                f"{_mean(row.rate)} Hz, CV {_mean(row.cv)}, peak at {_mean(row.peak)} Hz",
            )
        )
    if "SI slow" in of:
        row = of["SI slow"]
        found.append(
            Claim(
                "SI slow: neurons at less than three quarters of the frequency of a rhythm of 15 to 35 Hz",
                bool((row.rate < 0.75 * row.peak).all() and 15 <= row.peak.mean() <= 35),
                f"{_mean(row.rate)} Hz, CV {_mean(row.cv)}, peak at {_mean(row.peak)} Hz",
            )
        )
    return found + _claims_of_mean_field(of)


def _claims_of_ai(ai: pd.DataFrame) -> list[Claim]:
    tolerance = 0.05 * ai.epsilon.iloc[0] / 0.1
    error = ai.rate.mean() / ai["mean field"].iloc[0] - 1
    return [
        Claim(
            f"AI: the rate is within {100 * tolerance:g} % of the mean field's",
            bool(abs(error) < tolerance),
            f"{_mean(ai.rate)} Hz, mean field {ai['mean field'].iloc[0]:.2f} Hz, {100 * error:+.1f} %",
        ),
        Claim("AI: irregular, CV above 0.3", bool(ai.cv.mean() > 0.3), _mean(ai.cv)),
        Claim(
            "AI: the CV is within 25 % of the mean field's",
            bool(abs(ai.cv.mean() / ai["mean field cv"].iloc[0] - 1) < 0.25),
            f"{_mean(ai.cv)}, mean field {ai['mean field cv'].iloc[0]:.3f}",
            central=False,
        ),
        Claim(
            f"AI: the CV is within {100 * tolerance:g} % of that of neurons whose input has the spectrum of their own spikes",
            bool(abs(ai.cv.mean() / ai["fed back cv"].iloc[0] - 1) < tolerance),
            f"{_mean(ai.cv)}, theirs {ai['fed back cv'].iloc[0]:.3f} (rate {ai['fed back'].iloc[0]:.1f} Hz)",
            central=False,
        ),
    ]


def _claims_of_synchrony(table: pd.DataFrame, name: str, of: dict[str, pd.DataFrame]) -> list[Claim]:
    fano, calm = of[name]["population fano"], of["AI"]["population fano"]
    window = RESOLVING[name]
    pairs, loose = _correlation(table, name, window), _correlation(table, "AI", window)
    return [
        Claim(
            f"{name}: the population's Fano factor is above that of AI in every network",
            bool((fano > calm).all()),
            f"{_mean(fano)} against {_mean(calm)}",
        ),
        Claim(
            f"{name}: pairs are more correlated than in AI, windows of {1e3 * window:g} ms",
            bool(pairs.mean() > loose.mean()),
            f"{_mean(pairs)} against {_mean(loose)}",
        ),
    ]


def _claim_of_sr(of: dict[str, pd.DataFrame]) -> Claim:
    row = of["SR"]
    others = [frame.fano.mean() for name, frame in of.items() if name != "SR"]
    return Claim(
        "SR: regular and fast, CV below 0.2, more than 100 Hz, a spike in every cycle of the rhythm to 10 %, the least Fano factor",
        bool(
            row.cv.mean() < 0.2
            and row.rate.min() > 100
            and (np.abs(row.rate / row.peak - 1) < 0.1).all()
            and all(row.fano.mean() < other for other in others)
        ),
        f"{_mean(row.rate)} Hz, rhythm {_mean(row.peak)} Hz, CV {_mean(row.cv)}, Fano factor {_mean(row.fano)}",
    )


def _claims_of_mean_field(of: dict[str, pd.DataFrame]) -> list[Claim]:
    found = []
    off = {name: row.rate.mean() / row["mean field"].iloc[0] - 1 for name, row in of.items()}
    if "AI" in off and len(off) > 1:
        found.append(
            Claim(
                "the asynchronous mean field is further off in each of the other states than in AI",
                all(abs(error) > abs(off["AI"]) for name, error in off.items() if name != "AI"),
                ", ".join(f"{name} {100 * error:+.1f} %" for name, error in off.items()),
                central=False,
            )
        )
    size = {int(row.neurons.iloc[0]) for row in of.values()} | {
        float(row.epsilon.iloc[0]) for row in of.values()
    }
    known = [name for name in PUBLISHED if name in of]
    if size == {12_500, 0.1} and known:
        found.append(
            Claim(
                "rates are within 15 % of the published simulations' (37.7, 60.7, 5.5 Hz)",
                all(abs(of[name].rate.mean() / PUBLISHED[name] - 1) < 0.15 for name in known),
                ", ".join(f"{name} {_mean(of[name].rate)} Hz" for name in known),
                central=False,
            )
        )
    return found


def headline(table: pd.DataFrame) -> str:
    """Rates, for people."""
    return "; ".join(
        f"{name}: {_mean(row.rate)} Hz (mean field {row['mean field'].iloc[0]:.1f})"
        for name, row in by_state(table).items()
    )


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """What the states are told by, means and standard errors over networks, for people."""
    rows = []
    for name, row in by_state(table).items():
        rows.append(
            {
                "state": name,
                "g": f"{row.g.iloc[0]:g}",
                "eta": f"{row.eta.iloc[0]:g}",
                "rate (Hz)": _mean(row.rate),
                "mean field (Hz)": f"{row['mean field'].iloc[0]:.2f}",
                "CV": _mean(row.cv),
                "Fano, 25 ms": _mean(row.fano),
                **{
                    f"pair correlation, {1e3 * w:g} ms": _mean(_correlation(table, name, w))
                    for w in (1e-3, 10e-3)
                },
                "population Fano, 1 ms": _mean(row["population fano"]),
                "rhythm (Hz)": _mean(row.peak),
            }
        )
    return pd.DataFrame(rows)
