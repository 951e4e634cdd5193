"""Check that a tag is the version of the package, CITATION.cff, codemeta.json and the conda recipe; print its notes.

python .ci/release.py v0.1.0
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def versions(root: Path = ROOT) -> dict[str, str]:
    """The version that each file states."""
    patterns = {
        "nsnn_neuro/__init__.py": r'^__version__ = "(\S+)"$',
        "CITATION.cff": r"^version: (\S+)$",
        "conda/meta.yaml": r'set version = "(\S+)"',
    }
    out = {"codemeta.json": json.loads((root / "codemeta.json").read_text(encoding="utf-8"))["version"]}
    for name, pattern in patterns.items():
        found = re.search(pattern, (root / name).read_text(encoding="utf-8"), re.M)
        out[name] = found[1] if found else "none"
    return out


def notes(version: str, root: Path = ROOT) -> str:
    """The section of CHANGELOG.md about a version; empty if there is none."""
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    section = re.search(rf"^## \[{re.escape(version)}\].*?\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    return section[1].strip() if section else ""


def main(tag: str) -> int:
    """Print the notes of a tag; 1 with a message if a file has another version or CHANGELOG lacks its section."""
    version = tag.removeprefix("v")
    wrong = [
        f"{name} has version {found}: expected {version}, as the tag {tag}"
        for name, found in versions().items()
        if found != version
    ]
    if not notes(version):
        wrong.append(f"CHANGELOG.md has no section [{version}]: rename [Unreleased], and add the date")
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    print(notes(version))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
