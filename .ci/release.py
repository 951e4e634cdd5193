"""Check that a tag is the version of pyproject.toml, CITATION.cff and codemeta.json, and print its section of CHANGELOG.md.

    python .ci/release.py v0.1.0
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def versions(root: Path = ROOT) -> dict[str, str]:
    """The version that each file states."""
    cited = re.search(r"^version: (\S+)$", (root / "CITATION.cff").read_text(encoding="utf-8"), re.M)
    return {
        "pyproject.toml": tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"],
        "CITATION.cff": cited[1] if cited else "none",
        "codemeta.json": json.loads((root / "codemeta.json").read_text(encoding="utf-8"))["version"],
    }


def notes(version: str, root: Path = ROOT) -> str:
    """The section of CHANGELOG.md about a version; empty if there is none."""
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    section = re.search(rf"^## \[{re.escape(version)}\].*?\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    return section[1].strip() if section else ""


def main(tag: str) -> int:
    """Print the notes of a tag; 1 with a message if a file has another version or CHANGELOG lacks its section."""
    version = tag.removeprefix("v")
    wrong = [f"{name} has version {found}: expected {version}, as the tag {tag}" for name, found in versions().items() if found != version]
    if not notes(version):
        wrong.append(f"CHANGELOG.md has no section [{version}]: rename [Unreleased], and add the date")
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    print(notes(version))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
