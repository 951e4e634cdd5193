"""The studies: in a checkout their modules are in the folder `analysis`; an installed package has them here.

setup.py installs `analysis` in place of this file.
"""

from pathlib import Path

__path__ = [str(Path(__file__).resolve().parents[2] / "analysis")]
