"""Information against the time scale at which spikes are read."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.aliases import Axes
from ..core.checks import suggest_keywords
from ..core.errors import NsnnError
from ..core.units import shown
from ..measures.estimate import NOT_ABOVE
from .axes import COLOURS, INK, POINTS, SOFT, axes, check_columns, finish, legend_above, log_axis


@suggest_keywords
def information_against_resolution(result: Any, *, ax: Axes | None = None) -> Axes:
    """Information about the stimulus against the time scale at which spikes are read, with standard errors.

    Of `rate_vs_temporal`: a curve each for words and latencies against their bin, and the information of the count, its gain over
    shuffled stimuli, as a line. Bars are the standard error of over_count, bands that of the count. If words determine the count
    and the correction `bias` is a closed form, a point is the count's information plus over_count, in which the remaining bias
    cancels: where times add nothing, the curve lies on the line. Of `metric_space_information`: the corrected information against
    1/q, and that of the count, q = 0, as a line; q = infinity is not drawn. An open point has a warning, such as that it is a
    lower bound for want of trials, or is not above chance. Without shuffles the axis says "raw information".

    Parameters
    ----------
    result : result of `measures.rate_vs_temporal` or `measures.metric_space_information`
    ax : axes to draw on; None makes a new figure

    Raises
    ------
    NsnnError : another kind of result

    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> result = pd.DataFrame({"code": ["count", "words"], "resolution": [0.05, 0.01], "information": [0.1, 0.4], "se": 0.05})
    >>> ax = information_against_resolution(result, ax=Figure().subplots())
    >>> ax.get_xlabel(), ax.get_ylabel(), ax.get_xscale()
    ('resolution (ms)', 'information (bit)', 'log')
    """
    curves, label = _information(result)
    ax = axes(ax)
    for k, (name, scale, information, se) in enumerate(curves):
        if name.startswith("count"):
            ax.axhline(information[0], color=SOFT, lw=1.2, ls="--", label=name)
            ax.axhspan(information[0] - se[0], information[0] + se[0], color=SOFT, alpha=0.15, lw=0)
        elif scale.size:
            ax.errorbar(1e3 * scale, information, se, fmt="o-", color=COLOURS[k], label=name, **POINTS)
    doubtful: Any = ()  # rows, but the count's, with a warning or not above chance
    if hasattr(result, "groupby") and "warning" in result:
        is_doubtful = (result["warning"].notna() | _at_chance(result)) & (result["code"] != "count")
        doubtful = _heights(result)[is_doubtful]
    if len(doubtful):
        bound = doubtful["warning"].astype(str).str.contains("lower bound").any()
        why = f"{'few trials (lower bound)' if bound else 'with a warning'} or {NOT_ABOVE}"
        x, y = 1e3 * doubtful["resolution"], doubtful["information"]
        ax.plot(x, y, "o", color="w", mec=INK, ms=4.5, zorder=3, label=why)
    scales = [scale for name, scale, *_ in curves if not name.startswith("count")]
    log_axis(ax, "x", np.unique(1e3 * np.concatenate([[], *scales])))
    legend_above(ax, len(curves) + bool(len(doubtful)))
    ax.set(xlabel=label, ylabel="raw information (bit)" if _without_null(result) else "information (bit)")
    return finish(ax)


def _at_chance(result: Any) -> Any:
    """(n_rows,) whether a row's information is not above chance; False without a verdict."""
    return result["verdict"] == NOT_ABOVE if "verdict" in result else np.zeros(len(result), dtype=bool)


def _heights(result: Any) -> Any:
    """The table of `rate_vs_temporal` with what is drawn as `information` and `se`.

    Of words that contain the count, its information + over_count, which has lost the bias of fine bins; of others their own.
    """
    count = result["code"] == "count"
    if not {"over_count", "over_count_se"} <= set(result.columns) or not count.any():
        return result
    bits = result["raw" if _without_null(result) else "information"]
    bias_removed = ~np.isclose(result["raw"] - float(result.loc[count, "raw"].iloc[0]), result["over_count"])
    return result.assign(
        information=np.where(bias_removed, float(bits[count].iloc[0]) + result["over_count"], bits),
        se=np.where(count, result["se"], result["over_count_se"]),
    )


def _without_null(result: Any) -> bool:
    """Whether the bits are raw, for want of shuffles."""
    if hasattr(result, "groupby"):
        return bool(result["information"].isna().all())
    return not result.n_shuffle


def _information(result: Any) -> tuple[list[tuple[str, np.ndarray, np.ndarray, np.ndarray]], str]:
    """Name, time scale (s), information and standard error of each curve, the count's first; label of the axis."""
    if hasattr(result, "groupby"):
        check_columns(result, ["code", "resolution", "information", "se"])
        columns = ["resolution", "information", "se"]
        rows = [
            (str(code), own.sort_values("resolution"))
            for code, own in _heights(result).groupby("code", sort=False)
        ]
        silent = bool((_at_chance(result) & (result["code"] == "count")).any())
        rows = [(f"count, {NOT_ABOVE}" if silent and code == "count" else code, own) for code, own in rows]
        values = [(name, *(own[c].to_numpy(dtype=float) for c in columns)) for name, own in rows]
        return values, "resolution (ms)"  # type: ignore[return-value]
    if not all(hasattr(result, name) for name in ("q", "corrected", "se")):
        raise NsnnError(
            f"result = {shown(result)}: expected that of measures.rate_vs_temporal or measures.metric_space_information"
        )
    order = np.argsort(-result.q)
    q, corrected, se = result.q[order], result.corrected[order], result.se[order]
    finite = (q > 0) & np.isfinite(q)
    curves = [("spike times", 1 / q[finite], corrected[finite], se[finite])]
    if (q == 0).any():
        curves.insert(0, ("count", q[q == 0], corrected[q == 0], se[q == 0]))
    return curves, "time scale 1/q (ms)"
