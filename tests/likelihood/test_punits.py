"""The table of docs/punits.md: from its file, by a fit that finds the noise of the published model."""

import importlib.util
import json
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "punits.py"
spec = importlib.util.spec_from_file_location("punits", SCRIPT)
punits = importlib.util.module_from_spec(spec)
spec.loader.exec_module(punits)


def test_the_table_and_its_summary_are_those_of_the_file():
    results = json.loads(punits.RESULTS.read_text())
    page = punits.PAGE.read_text()
    table = page[page.index(punits.HEAD) + len(punits.HEAD) :].split("\n\n")[0].splitlines()
    assert table == punits.lines(results)
    assert punits.summary(results) in page
