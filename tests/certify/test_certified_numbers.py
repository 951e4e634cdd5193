"""README.md and docs/certify.md quote docs/certificate.csv, which `nsnn certify --ranges` has written."""
# Imports internals: the text of a row, and how many rows there have to be.

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from nsnn_neuro.certify import report
from nsnn_neuro.certify.pairs import pairs

ROOT = Path(__file__).resolve().parent.parent.parent
README, PAGE = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/certify.md"))


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
    assert (
        f"default seed {passed} rows pass and none fails; the largest |z| is {z:.1f}, the largest error {error:.1f} %"
        in _plain(README)
    )


@pytest.mark.parametrize(
    ("text", "case"),
    [
        ("rate of a LIF neuron in white noise", ("LIF", "WhiteNoise", "bridge")),
        ("the same in OU noise", ("LIF", "OUNoise", "")),
        (
            "the same with Poisson excitation and inhibition",
            ("LIF", "PoissonNoise", "excitation and inhibition"),
        ),
        ("rate of an EIF neuron in white noise", ("EIF", "WhiteNoise", "")),
    ],
)
def test_the_readme_has_values_of_the_table(table: pd.DataFrame, text: str, case: tuple[str, ...]) -> None:
    own = table[(table[["model", "noise", "mode"]] == case).all(axis=1) & (table["quantity"] == "rate")]
    assert len(own) == 1
    row = own.iloc[0]
    expected = f"| {text} | {row['simulated']:.3f} ± {row['se']:.3f} Hz | {row['theory']:.3f} Hz, "
    assert expected in README


def _plain(text: str) -> str:
    """Without line breaks and Markdown's backslashes."""
    return " ".join(text.replace("\\", "").split())
