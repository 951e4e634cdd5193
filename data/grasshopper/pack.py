"""Pack nitime's text files of the two grasshopper recordings: python pack.py FOLDER_OF_TEXT_FILES [OUT].

Lossless: the text files can be written back from the packed ones byte for byte (tests/datasets/test_datasets.py does).
Per recording one .npz without pickled objects:

header   the `#` lines of the spike file, one string
spike_us spike times in microseconds, uint32
order    how often the envelope was differenced
planes   uint8 of shape (4, n): the envelope in units of 1e-7 (the text has up to seven decimals), differenced
         `order` times, signs folded in (0, -1, 1, -2 -> 0, 1, 2, 3), as little-endian uint32 split into bytes

The same input and the same zlib give the same bytes: members carry a fixed date.
"""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
from pathlib import Path

import numpy as np

ORDER = {1: 4, 2: 6}  # gives the smallest file of those from 2 to 7
STEP_US = 50
SCALE = 10**7


def read_text(folder: Path, which: int) -> tuple[str, np.ndarray, np.ndarray]:
    """Header, spike times (us) and envelope (1e-7) of one recording; refuses what packing would lose."""
    lines = (folder / f"grasshopper_spike_times{which}.txt").read_text().splitlines()
    header = "\n".join(line for line in lines if line.startswith("#"))
    spikes = np.array([int(line) for line in lines if line and not line.startswith("#")])
    rows = [line.split() for line in (folder / f"grasshopper_stimulus{which}.txt").read_text().splitlines()]
    envelope = np.rint([float(value) * SCALE for _, value in rows]).astype(np.int64)
    if [int(t) for t, _ in rows] != list(range(0, STEP_US * len(rows), STEP_US)):
        raise ValueError(f"recording {which}: stimulus times aren't 0, {STEP_US}, {2 * STEP_US}, ... us")
    if not all(float(value) == q / SCALE for (_, value), q in zip(rows, envelope.tolist(), strict=True)):
        raise ValueError(f"recording {which}: an envelope value has more than seven decimals")
    return header, spikes, envelope


def pack(folder: Path, which: int, out: Path) -> Path:
    """Write grasshopper<which>.npz into `out`."""
    header, spikes, envelope = read_text(folder, which)
    change = np.diff(envelope, n=ORDER[which], prepend=np.zeros(ORDER[which], dtype=np.int64))
    folded = np.where(change >= 0, 2 * change, -2 * change - 1).astype("<u4")
    arrays = {
        "header": np.array(header),
        "spike_us": spikes.astype("<u4"),
        "order": np.array(ORDER[which], dtype="<u4"),
        "planes": np.ascontiguousarray(folded.view(np.uint8).reshape(-1, 4).T),
    }
    path = out / f"grasshopper{which}.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.save(member, array, allow_pickle=False)
            info = zipfile.ZipInfo(name + ".npy", date_time=(2011, 1, 1, 0, 0, 0))
            info.external_attr = 0o644 << 16
            info.create_system = 3
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, member.getvalue(), compresslevel=9)
    return path


def main() -> None:
    """Pack both recordings and print their checksums."""
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    out = Path(sys.argv[2]) if len(sys.argv) == 3 else Path(__file__).parent
    for which in ORDER:
        path = pack(Path(sys.argv[1]), which, out)
        print(hashlib.sha256(path.read_bytes()).hexdigest(), path.name)


if __name__ == "__main__":
    main()
