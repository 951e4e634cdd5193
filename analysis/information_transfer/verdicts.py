"""Claims of the study `information_transfer` with their verdicts, and its summary tables."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from ..harness import Claim, secondary
from ..shared.intervals import mean_and_half
from ..shared.tables import where
from . import recorded


def claims(table: pd.DataFrame) -> list[Claim]:
    """Claims with their evidence: about the model, then about recorded neurons."""
    return [*model_claims(table), *recorded.claims(table)]


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Rate and information at each sigma: means with standard errors over copies."""
    rows = []
    bounds = where(table, part="copy", quantity="bound")
    for level in ("weak", "strong"):
        for sigma in sorted(bounds.sigma.unique()):
            bound, rate, direct = (of_copies(table, level, sigma, q) for q in ("bound", "rate", "direct"))
            exact = where(bounds, signal=level, sigma=sigma).exact.iloc[0]
            row = {"signal": level, "sigma (mV)": f"{sigma:g}", "rate (Hz)": f"{rate.mean():.2f}"}
            row["raw bound (bit/s)"] = f"{bound.mean():.3f} ± {bound.sem():.2g}"
            row["linear theory"] = f"{exact:.3f}"
            row["raw direct (bit/s)"] = f"{direct.mean():.2f} ± {direct.sem():.2g}" if len(direct) else "-"
            row["raw bound per spike (bit)"] = f"{(bound / rate).mean():.3f}"
            row["raw direct per spike (bit)"] = f"{(direct / rate).mean():.3f}" if len(direct) else "-"
            rows.append(row)
    return pd.DataFrame(rows)


def tables(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Rate and bound of the recorded neurons."""
    return recorded.tables(table)


def headline(table: pd.DataFrame) -> str:
    """The main result in a sentence."""
    bounds = where(table, part="copy", quantity="bound", signal="weak")
    mean = bounds.groupby("sigma").value.mean()
    best = mean.idxmax()
    absent = "" if (table.source == "fly H1").any() else " The fly recording was absent and is omitted."
    return (
        f"Of the tested noise levels, the information rate about the weak signal is largest at {best:g} mV, {mean[best]:.2f} "
        f"bit/s, against {mean.iloc[0]:.2f} at {mean.index[0]:g} mV and {mean.iloc[-1]:.2f} at {mean.index[-1]:g} mV.{absent}"
    )


WEAK = 0.25  # largest SD of the free membrane under a weak signal, in units of sigma


def of_copies(table: pd.DataFrame, signal: str, sigma: float, quantity: str) -> pd.Series:
    """A quantity of each copy, by copy."""
    rows = where(table, part="copy", signal=signal, quantity=quantity)
    return rows[rows.sigma == sigma].set_index("copy").value


def weak_sigmas(table: pd.DataFrame) -> list[float]:
    """Values of sigma at which the weak signal meets the criterion `WEAK`."""
    rows = where(table, part="theory", signal="weak", quantity="membrane")
    return [s for s in sigmas_of(table) if rows.value.iloc[0] <= WEAK * s]


def sigmas_of(table: pd.DataFrame) -> list[float]:
    """Simulated values of sigma."""
    return sorted(table[table.part == "copy"].sigma.unique().tolist())


def _curve_claim(
    table: pd.DataFrame, text: str, quantities: tuple[str, ...], signal: str, sigmas: list[float]
) -> Claim:
    responses = table[(table.part == "response") & (table.x > 0)]
    rows = responses[responses.quantity.isin(quantities) & responses.sigma.isin(sigmas)]
    rows = rows[rows.signal == signal]
    z = ((rows.value - rows.exact) / rows.se).abs()
    expected = len(quantities) * len(sigmas) * responses.x.nunique()
    return Claim(
        text,
        len(z) == expected and expected > 0 and (z < 4).all(),
        f"{len(z)} of {expected} values: largest |z| {z.max():.1f}, root mean square {np.sqrt((z**2).mean()):.2f}",
    )


def model_claims(table: pd.DataFrame) -> list[Claim]:
    """Claims about the model, with their evidence."""
    weak = weak_sigmas(table)
    shown = ", ".join(f"{s:g}" for s in weak)
    return [
        _curve_claim(
            table,
            f"the susceptibility equals that of the Fokker-Planck equation at every frequency, |z| < 4 (sigma {shown} mV)",
            ("chi, real", "chi, imaginary"),
            "weak",
            weak,
        ),
        _curve_claim(
            table,
            f"the power spectrum without signal equals that of the Fokker-Planck equation, |z| < 4 (sigma {shown} mV)",
            ("spectrum",),
            "none",
            weak,
        ),
        _bound(table, weak),
        _maximum(table),
        _direct(table),
        *_secondary(table),
    ]


def _bound(table: pd.DataFrame, weak: list[float]) -> Claim:
    rows = where(table, part="copy", signal="weak", quantity="bound")
    parts, holds = [], len(weak) > 0
    for sigma in weak:
        values, exact = of_copies(table, "weak", sigma, "bound"), rows[rows.sigma == sigma].exact
        exact_value = float(exact.iloc[0]) if len(exact) else np.nan
        z = (values.mean() - exact_value) / values.sem() if len(values) > 1 else np.nan
        holds = holds and abs(z) < 4
        parts.append(
            f"sigma {sigma:g} mV: {values.mean():.3f} ± {values.sem():.2g}, theory {exact_value:.3f} (z {z:+.1f})"
        )
    return Claim(
        "the information bound for the weak signal equals linear response theory, |z| < 4",
        holds,
        "bit/s, ± standard error over copies: " + "; ".join(parts),
    )


def _interval(values: pd.Series) -> tuple[float, float]:
    """Mean and half-width of the 95 % interval without missing values; NaN for fewer than two values."""
    known = values.dropna().to_numpy()
    return mean_and_half(known) if known.size > 1 else (np.nan, np.nan)


def _maximum(table: pd.DataFrame) -> Claim:
    """The bound at the interior sigma where theory is largest, compared with both ends of the range."""
    text = "the information bound for the weak signal has its maximum inside the range of sigma: larger than at both ends (95 %)"
    rows = where(table, part="copy", signal="weak", quantity="bound")
    sigmas = sigmas_of(table)
    ends = sigmas[0], sigmas[-1]
    inside = rows[~rows.sigma.isin(ends)].groupby("sigma").exact.first()
    if inside.empty:
        return Claim(text, False, "no values")
    best = float(inside.idxmax())
    top = of_copies(table, "weak", best, "bound")
    gains = {end: _interval(top - of_copies(table, "weak", end, "bound")) for end in ends}
    return Claim(
        text,
        all(mean > width for mean, width in gains.values()),
        f"bit/s at sigma {best:g} mV (largest in theory) minus that at the ends, 95 % over copies: "
        + "; ".join(f"{end:g} mV: {mean:+.3f} ± {width:.2g}" for end, (mean, width) in gains.items()),
    )


def _above(table: pd.DataFrame) -> dict[float, tuple[float, float]]:
    """Direct information minus the bound for the strong signal: mean over copies and half-width of its 95 % interval."""
    return {
        s: _interval(of_copies(table, "strong", s, "direct") - of_copies(table, "strong", s, "bound"))
        for s in sigmas_of(table)
    }


def _direct(table: pd.DataFrame) -> Claim:
    above = _above(table)
    return Claim(
        "the information by the direct method is nowhere below the bound (strong signal, 95 %)",
        all(mean + width > 0 for mean, width in above.values()),
        "direct minus bound, bit/s, 95 % over copies: "
        + "; ".join(f"sigma {s:g} mV: {mean:+.2f} ± {width:.2g}" for s, (mean, width) in above.items()),
    )


def _secondary(table: pd.DataFrame) -> list[Claim]:
    sigmas = sigmas_of(table)
    rows = where(table, part="copy", signal="strong", quantity="bound")
    exact = rows.groupby("sigma").exact.first()
    bound = {s: of_copies(table, "strong", s, "bound") for s in sigmas}
    off = {s: np.log(bound[s].clip(lower=1e-9) / exact[s]) for s in sigmas if s in exact.index}
    first, last = (off.get(s, pd.Series(dtype=float)).abs() for s in (sigmas[0], sigmas[-1]))
    closer, half = _interval(first - last)
    above = _above(table)
    per_spike = {s: bound[s] / of_copies(table, "strong", s, "rate") for s in sigmas}
    falls = [_interval(per_spike[b] - per_spike[a]) for a, b in itertools.pairwise(sigmas)]
    return [
        secondary(
            "the bound for the strong signal deviates from linear theory, less at the largest than at the smallest sigma (95 %)",
            closer > half,
            "log of bound / theory, mean over copies: "
            + "; ".join(f"sigma {s:g} mV: {v.mean():+.2f} ± {v.sem():.2g}" for s, v in off.items()),
        ),
        secondary(
            "the direct method gives more than the bound at every sigma (95 %): spikes carry more than their linear part",
            all(mean > width for mean, width in above.values()),
            "; ".join(
                f"sigma {s:g} mV: {mean:+.2f} ± {width:.2g} bit/s" for s, (mean, width) in above.items()
            ),
        ),
        secondary(
            "bits per spike have no maximum inside the range: they fall from each sigma to the next (strong signal, bound, 95 %)",
            all(mean + width < 0 for mean, width in falls),
            "; ".join(f"sigma {s:g} mV: {v.mean():.3f}" for s, v in per_spike.items()) + " bit per spike",
        ),
    ]
