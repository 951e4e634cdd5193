"""Transfer entropy between all pairs of several series, in threads, with progress, resumable."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from ...core.aliases import Progress
from ...core.checks import flag, fraction, suggest_keywords
from ...core.errors import FormatError, NsnnError
from ...core.file_limits import Budget
from ...core.parallel import check_jobs
from ...core.progress import progress_bar
from ...core.results import damaged, digest, read_npz, write_npz
from ...core.units import shown
from ...core.warn import warn
from ..estimate import Estimate, listed
from ..response_checks import array_of
from ..trains import SilentNeuronWarning
from .histories import read_series
from .transfer import estimate
from .transfer_samples import Options, check_lengths, histories_of

_FIELDS = ("value", "se", "null_mean", "z", "p")


@dataclass(frozen=True)
class TransferEntropyMatrix:
    """Transfer from each series i to each j; made by `transfer_entropy_matrix`. The diagonal is NaN."""

    value: np.ndarray
    """(n, n) bits per bin, from the row to the column"""
    se: np.ndarray
    """(n, n) standard errors"""
    null_mean: np.ndarray
    """(n, n) means of the surrogates"""
    z: np.ndarray
    """(n, n) (value - null_mean) / SD of the surrogates"""
    p: np.ndarray
    """(n, n) of each pair alone, at least 1 / (1 + n_shuffle)"""
    null: np.ndarray
    """(n, n, n_shuffle) bits, the surrogates of each pair"""
    n: int
    """samples"""
    warning: str | None
    """how many pairs have a warning, and the first"""

    def __str__(self) -> str:
        """The seven pairs of the smallest pooled p."""
        rows = self.to_frame().sort_values("pooled_p", kind="stable").to_dict("records")

        def row(j: int) -> str:
            pair = Estimate(rows[j]["gain"], rows[j]["se"])
            text = "{source} to {target}: {0:.4g}, p = {p:.2g}, pooled p = {pooled_p:.2g}".format(
                pair, **rows[j]
            )
            return text + ", significant" * rows[j]["significant"]

        title = (
            f"{len(self.p)} series, n = {self.n}, {self.significant().sum()} of {len(rows)} pairs significant"
        )
        text = listed(f"{type(self).__name__}: {title}, bit/bin over the null", row, len(rows))
        return text + (f"\nwarning: {self.warning}" if self.warning else "")

    @property
    def gain(self) -> np.ndarray:
        """(n, n) value - null_mean, the transfer entropy above chance"""
        return self.value - self.null_mean

    def pooled_p(self) -> np.ndarray:
        """(n, n) share of the surrogates of all pairs that reach z, in units of its own pair.

        The null is assumed to have one shape in all pairs. NaN without surrogates, or where all of
        a pair are equal.
        """
        n = self.null.shape[-1]
        if n < 3:
            return np.full(self.p.shape, np.nan)
        mean, variance = self.null.mean(-1, keepdims=True), self.null.var(-1, keepdims=True)
        others = (n * mean - self.null) / (n - 1)
        spread = (n * variance - (self.null - mean) ** 2 * n / (n - 1)) / (n - 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            pool = (self.null - others) / np.sqrt(np.maximum(spread, 0.0))
        known = np.isfinite(self.z) & np.isfinite(pool).all(-1)
        pool = np.sort(pool[known].ravel())
        out = np.full(self.p.shape, np.nan)
        out[known] = (1 + pool.size - np.searchsorted(pool, self.z[known] - 1e-9)) / (1 + pool.size)
        return out

    def significant(self, rate: float = 0.05) -> np.ndarray:
        """(n, n) True for the pairs found with at most a share `rate` of false ones (Benjamini & Hochberg 1995)."""
        fraction(rate, "rate")
        p = self.pooled_p()
        out, known = np.zeros(p.shape, dtype=bool), np.isfinite(p)
        if known.any():
            out[known] = false_discovery_control(p[known]) <= rate
        return out

    def to_frame(self) -> pd.DataFrame:
        """A row per pair: source, target, gain, se, raw, null_mean, z, p, pooled_p, significant."""
        at = np.nonzero(~np.eye(len(self.value), dtype=bool))
        columns = {"gain": self.gain[at], "se": self.se[at], "raw": self.value[at]}
        columns |= {name: getattr(self, name)[at] for name in _FIELDS[2:]}
        columns |= {"pooled_p": self.pooled_p()[at], "significant": self.significant()[at]}
        return pd.DataFrame({"source": at[0], "target": at[1], **columns})


@suggest_keywords
def transfer_entropy_matrix(
    series: Any,
    *,
    k: int | str = 1,
    l: int = 1,  # noqa: E741 - Schreiber's name
    lag: int = 1,
    estimator: str = "discrete",
    bias: str | None = None,
    null: str = "shift",
    n_shuffle: int = 100,
    min_shift: int | None = None,
    block_length: int | None = None,
    n_blocks: int = 20,
    n_resample: int = 0,
    n_neighbors: int = 4,
    seed: int = 0,
    n_jobs: int = 1,
    out: Any = None,
    resume: bool = True,
    progress: Progress = None,
) -> TransferEntropyMatrix:
    """Transfer entropy of all ordered pairs of series, bits per bin, with errors and p.

    Each pair is estimated alone, as by `transfer_entropy`: what a third series passes on is not
    taken out. With `out` each finished target is kept in that file, and the same call continues
    there. A constant series has NaN, with one warning for all.

    Parameters
    ----------
    series : (n, n_bins), or (n_trials, n, n_bins) as `words(block, bin_width=...)`
    k, l, lag, estimator, bias, null, n_shuffle, min_shift, block_length, n_blocks, n_resample,
    n_neighbors :
        as for `transfer_entropy`
    seed : each pair has its own generator of this seed and its two numbers
    n_jobs : threads; -1 for all cores that this process may use
    out : None, or the name of a file, ending in .npz, for results on the way
    resume : False starts anew if `out` exists
    progress : None, True, False or a function of the completed fraction

    Raises
    ------
    NsnnError : what `transfer_entropy` refuses for all pairs, fewer than two series, `out` of other
        data or options. A pair that alone cannot be estimated is NaN, and `warning` says why.
        FormatError : `out` is damaged

    >>> rng = np.random.default_rng(0)
    >>> first = rng.integers(0, 2, 2000)
    >>> second = np.roll(first, 1) ^ (rng.random(2000) < 0.2)
    >>> matrix = transfer_entropy_matrix([first, second, rng.integers(0, 2, 2000)])
    >>> matrix.significant().tolist()
    [[False, True, False], [False, False, False], [False, False, False]]
    >>> round(float(matrix.value[0, 1]), 2)
    0.24
    """
    settings = Options(
        estimator, bias, n_neighbors, n_shuffle, n_blocks, n_resample, seed, null, min_shift, block_length
    ).checked()
    check_lengths(k, l, lag)
    flag(resume, "resume")
    jobs, path = check_jobs(n_jobs), _path(out)
    read = _read(series, estimator == "discrete")
    n = len(read)
    seeds = seed if isinstance(seed, list | tuple) else [seed]
    options = {"k": k, "l": l, "lag": lag, **settings._asdict()}
    options["seed"] = [hex(one) for one in seeds]  # which has no limit of digits
    mark = digest({name: str(value) for name, value in options.items()}, *read)
    results = {name: np.full((n, n), np.nan) for name in (*_FIELDS, "n")}
    results["null"] = np.full((n, n, n_shuffle), np.nan)
    texts: dict[str, str | None] = {}
    if path is not None and resume and os.path.lexists(path):
        results, texts = _load(path, mark, results)
    done = {int(j) for j in texts}
    constant = [j for j, one in enumerate(read) if np.ptp(one) == 0]
    if constant:
        listed = ", ".join(map(str, constant))
        warn(f"series {listed}: constant, as of silent neurons; NaN", SilentNeuronWarning)

    def column(j: int) -> tuple[int, dict[str, np.ndarray], str | None]:
        """The transfers to target j."""
        values, first = {name: np.full_like(kept[:, j], np.nan) for name, kept in results.items()}, None
        for i in range(n):
            if i == j or i in constant or j in constant:
                continue
            rng = np.random.default_rng([*seeds, i, j])
            try:
                result = histories_of(read[i], read[j], [], k, l, lag, estimator)
                one, surrogates = estimate(result, settings, rng, "series")
            except NsnnError as error:
                if n == 2 or isinstance(error, FormatError):
                    raise
                first = first or f"{i} to {j}: {error}"
                continue
            values["null"][i] = surrogates
            for name in (*_FIELDS, "n"):
                given = getattr(one, name)
                values[name][i] = np.nan if given is None else given
            if one.warning is not None:
                first = first or f"{i} to {j}: {one.warning}"
        return j, values, first

    with (
        progress_bar(progress, "transfer entropy", n, unit="target", initial=len(done)) as report,
        ThreadPoolExecutor(min(jobs, n)) as pool,
    ):
        try:
            for future in as_completed([pool.submit(column, j) for j in range(n) if j not in done]):
                j, values, text = future.result()
                for name, kept in results.items():
                    kept[:, j] = values[name]
                texts[str(j)] = text
                if path is not None:
                    write_npz(path, results, {"made_of": mark, "warnings": texts}, "out")
                if report is not None:
                    report(len(texts) / n)
        except KeyboardInterrupt:
            kept_in = f"are in {path}; the same call continues"
            where = kept_in if path else "were done; out=FILE would have kept them"
            raise KeyboardInterrupt(f"interrupted: {len(texts)} of {n} targets {where}") from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # after an error no further target begins
    notes = [texts[j] for j in sorted(texts, key=int) if texts[j]]
    warning = f"{len(notes)} of {n} targets have pairs with warnings, the first {notes[0]}" if notes else None
    number = int(np.nan_to_num(results.pop("n")).max())
    return TransferEntropyMatrix(**results, n=number, warning=warning)


def _read(series: Any, discrete: bool) -> list[np.ndarray]:
    """Each series as (n_trials, n_bins)."""
    array = array_of(series, "series")
    if array.ndim not in (2, 3) or array.size == 0:
        raise NsnnError(f"series has shape {array.shape}: expected (n, n_bins) or (n_trials, n, n_bins)")
    units = array if array.ndim == 2 else np.swapaxes(array, 0, 1)
    if len(units) < 2:
        raise NsnnError(f"series has shape {array.shape}, one series: expected at least two")
    place = "{}" if array.ndim == 2 else ":, {}"
    return [read_series(one, f"series[{place.format(i)}]", discrete=discrete) for i, one in enumerate(units)]


def _path(out: Any) -> Path | None:
    if out is None:
        return None
    if not isinstance(out, str | os.PathLike) or Path(out).suffix != ".npz":
        raise NsnnError(f"out = {shown(out)}: expected None or the name of a file that ends in .npz")
    path = Path(out)
    if not path.parent.is_dir():
        raise NsnnError(f"out = {shown(out)}: its folder does not exist")
    return path


def _load(
    path: Path, mark: str, blank: dict[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, str | None]]:
    """Results on the way, shaped as `blank`; FormatError if damaged, NsnnError if of other data."""
    cure = "delete it, or resume=False to replace it"
    most = 4 * sum(one.nbytes for one in blank.values()) + 10_000 * (100 + len(blank["n"]))
    with damaged(f"out = {path}: no file of transfer_entropy_matrix, or damaged", cure):
        results, about = read_npz(path, Budget(most, "more than these series need"))
        made_of, texts = about["made_of"], about["warnings"]
        known = set(texts) <= {str(j) for j in range(len(blank["n"]))}
    if made_of != mark:
        raise NsnnError(
            f"out = {path}: made of other series or options; take another file, or resume=False to replace it"
        )
    shapes, expected = (
        {name: (one.shape, one.dtype) for name, one in given.items()} for given in (results, blank)
    )
    if not known or shapes != expected:
        raise FormatError(f"out = {path}: its contents do not belong together; {cure}")
    return results, texts
