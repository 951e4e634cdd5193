"""README.md, paper.md and docs/certify.md quote docs/certificate.csv, which `nsnn certify --ranges` has written."""
# Imports internals: the text of a row, and how many rows there have to be.

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from nsnn_neuro.certify import report
from nsnn_neuro.certify.pairs import pairs

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = ("README.md", "paper.md", "docs/certify.md")
README, PAPER, PAGE = ((ROOT / name).read_text(encoding="utf-8") for name in NAMES)

QUOTED = {
    "rate of a LIF neuron in white noise": ("LIF", "WhiteNoise", "bridge"),
    "the same in OU noise": ("LIF", "OUNoise", ""),
    "the same with Poisson excitation and inhibition": ("LIF", "PoissonNoise", "excitation and inhibition"),
    "rate of an EIF neuron in white noise": ("EIF", "WhiteNoise", ""),
}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.read_csv(
        ROOT / "docs" / "certificate.csv", keep_default_na=False, na_values=["", "nan"]
    ).fillna(dict.fromkeys(("noise", "mode", "quantity", "order", "reason"), ""))


def test_the_table_has_every_case(table: pd.DataFrame) -> None:
    found = set(zip(table["model"], table["noise"], table["mode"], strict=True))
    assert found == {
        (pair.model, pair.noise, mode)
        for pair in pairs()
        for mode in [case.mode for case in pair.cases] or [""]
    }


def test_the_page_shows_rows_of_the_table(table: pd.DataFrame) -> None:
    rows = {" ".join(filter(None, row[:-1])) for row in report.lines(table)}
    block = re.search(r"(?:^    .*\n)+", PAGE, re.M)
    assert block is not None
    shown = [" ".join(line.split()) for line in block[0].splitlines()]
    assert len(shown) > 8
    assert [row for row in shown if row not in rows] == []


def test_the_counts_and_worst_values_are_those_of_the_table(table: pd.DataFrame) -> None:
    judged = table[table["verdict"].isin(["pass", "fail"])]
    passed = int((judged["verdict"] == "pass").sum())
    assert len(judged) == passed
    z, error = judged["z"].abs().max(), 100 * judged["relative_error"].abs().max()
    assert (
        f"{passed} rows pass and none fails; |z| is at most {z:.1f}, and errors are at most {error:.1f} %"
        in _plain(PAGE)
    )
    quoted = f"default seed {passed} rows pass and none fails; the largest |z| is {z:.1f}, the largest error {error:.1f} %"
    assert quoted in _plain(README)
    assert quoted in _plain(PAPER)


@pytest.mark.parametrize("text", QUOTED)
def test_readme_and_paper_have_values_of_the_table(table: pd.DataFrame, text: str) -> None:
    same = table[["model", "noise", "mode"]] == list(QUOTED[text])
    own = table[same.all(axis=1) & (table["quantity"] == "rate")]
    assert len(own) == 1
    row = own.iloc[0]
    expected = f"| {text} | {row['simulated']:.3f} ± {row['se']:.3f} Hz | {row['theory']:.3f} Hz, "
    assert expected in README
    assert expected in PAPER


def test_the_paper_has_the_rate_without_the_bridge(table: pd.DataFrame) -> None:
    rows = table[(table["model"] == "LIF") & (table["noise"] == "WhiteNoise") & (table["mode"] == "grid")]
    (row,) = rows[(rows["quantity"] == "rate, bridge gain") & (rows["dt_ms"] == 0.1)].to_dict("records")
    rates = f"{row['simulated']:.3f} ± {row['se']:.3f} Hz, while theory gives {row['theory']:.3f} Hz"
    assert f"{rates}, a deficit of {-100 * row['relative_error']:.0f} %" in _plain(PAPER)


def _plain(text: str) -> str:
    """Without line breaks and Markdown's backslashes."""
    return " ".join(text.replace("\\", "").split())
