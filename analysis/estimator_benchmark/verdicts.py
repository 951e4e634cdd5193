"""Claims of the study `estimator_benchmark` with their verdicts, and its summary tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..harness import Claim
from .channels import SYMBOLS
from .words import shown

FOUND = {"plugin": 5.82, "nsb": 6.54}  # bits, uniform law, a sample per symbol; to the printed digits
ROOM = 3.0  # standard errors of a fraction of repeats


def claims(table: pd.DataFrame) -> list[Claim]:
    """The study's claims with their evidence."""
    bias = (table["mean"] - table.truth).rename("bias")
    at = table.assign(bias=bias).set_index(["channel", "estimator", "per response"]).bias
    inside = table[table["in regime"]]
    room = ROOM * np.sqrt(0.9 * 0.1 / inside.repeats)
    covered = inside.groupby("estimator").coverage
    mean, least = covered.mean(), covered.min()
    flat = table[(table.channel == "uniform") & (table.trials == SYMBOLS)].set_index("estimator")
    error = flat.sd / np.sqrt(flat.repeats)
    curve = table[(table.channel == "curve") & (table.trials == table.trials[table.channel == "curve"].max())]
    curve = curve.set_index("estimator")
    found = curve["mean"] / curve.truth
    four = {name: float(at["words", name, 4.0]) for name in ("panzeri-treves", "miller-madow", "plugin")}
    eight = float(at["words", "plugin", 8.0])
    return [
        Claim(
            "words, four trials per response: Panzeri-Treves is within .02 bit of the truth",
            bool(abs(four["panzeri-treves"]) < 0.02),
            f"{four['panzeri-treves']:+.4f} bit; counting only the words that were seen {four['miller-madow']:+.4f}",
        ),
        Claim(
            "words, eight trials per response: the plug-in is still more than .02 bit too high",
            eight > 0.02,
            f"{eight:+.4f} bit; at four {four['plugin']:+.4f}",
        ),
        Claim(
            f"every estimator, channel and size in the regime: the truth is within two standard errors in 90 % of the repeats, "
            f"less {ROOM:g} standard errors of that fraction",
            bool((inside.coverage >= 0.9 - room).all()),
            "; ".join(
                f"{name} {100 * mean[name]:.0f} % (worst channel and size {100 * least[name]:.0f} %)"
                for name in mean.index
            ),
        ),
        _few_trials(table),
        Claim(
            "uniform law, one sample per symbol: plug-in 5.82, NSB 6.54 bit, as found independently (truth 6.644), |z| < 4",
            all(abs(flat["mean"][x] - number) < 0.005 + 4 * error[x] for x, number in FOUND.items()),
            "; ".join(f"{x} {flat['mean'][x]:.3f}, SD {flat.sd[x]:.2f}" for x in FOUND),
        ),
        Claim(
            "a curve without correlation: KSG finds nine tenths of it or more, the Gaussian copula less than one",
            bool(found["ksg"] > 0.9 and found["gaussian-copula"] < 0.1),
            f"KSG {100 * found['ksg']:.1f} %, copula {100 * found['gaussian-copula']:.1f} % of {curve.truth.iloc[0]:.3f} bit",
        ),
    ]


def _few_trials(table: pd.DataFrame) -> Claim:
    rows = table[~table.channel.isin(shown(table)) & (table.estimator == "auto")]
    worst = rows.loc[rows.coverage.idxmin()]
    others = table[~table.channel.isin(shown(table)) & (table.estimator != "auto")]
    least = others.groupby("estimator").coverage.min()
    room = ROOM * np.sqrt(0.9 * 0.1 / rows.repeats)
    return Claim(
        f"words of every kind with few trials: two standard errors or the bracket of 'auto' hold the truth in 90 % of the repeats, "
        f"less {ROOM:g} standard errors of that fraction",
        bool((rows.coverage >= 0.9 - room).all()),
        f"worst {100 * worst.coverage:.0f} % ({worst.channel}, {worst.trials} trials); the others, all with a warning there: "
        + "; ".join(f"{name} {100 * value:.0f} %" for name, value in least.items()),
    )


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Bias, spread and coverage for people."""
    bias = table["mean"] - table.truth
    spread = table.sd / np.sqrt(table.repeats)
    return pd.DataFrame(
        {
            "channel": table.channel,
            "estimator": table.estimator,
            "trials": table.trials,
            "truth (bit)": table.truth.map("{:.3f}".format),
            "bias (bit)": [f"{b:+.4f} ± {e:.4f}" for b, e in zip(bias, spread, strict=True)],
            "SD": table.sd.map("{:.4f}".format),
            "SE as given": table.se.map("{:.4f}".format),
            "within 2 SE (%)": (100 * table.coverage).map("{:.0f}".format),
            "in its regime": table["in regime"].map({True: "yes", False: "no"}),
            "no value (%)": (100 * table["without value"]).map("{:.0f}".format),
            "warned (%)": (100 * table.warned).map("{:.0f}".format),
        }
    )
