"""What the validator of the DANDI archive would say of an NWB file, as far as `nsnn check` looks."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ...core.file_limits import Budget
from ..hdf5 import Reader, opened
from . import metadata

_OLD = datetime(1980, 1, 1, tzinfo=UTC)


def findings(path: Path) -> tuple[list[str], list[str]]:
    """What keeps the archive from taking the NWB file at `path`, and what nwbinspector reports besides.

    Either is missing or has another form: facts about subject and session, the step of the spike times.
    """
    with opened(path) as file:
        source = Reader(file, Budget.of(path))
        general = metadata.read(source)
        refused, reported = metadata.missing_for_dandi(general), []
        stated = (source.text("session_start_time") or b"").decode("utf-8", "replace")
        moment = metadata.kept({"session_start_time": stated}).get("session_start_time")
        if moment is None:
            refused.append("no valid session_start_time")
        elif (start := datetime.fromisoformat(moment)) > datetime.now(UTC):
            refused.append(f"session_start_time = {start.isoformat()} is in the future")
        elif start < _OLD:
            reported.append(f"session_start_time = {start.isoformat()}, which stands for no date")
        for name in metadata.unlike_last_first(general.get("experimenter", ())):
            reported.append(f"experimenter {name!r} is not of the form 'Last, First'")
        times = "units/spike_times"
        if times in source and source.attribute(times, "resolution", None) is None:
            reported.append(
                "no resolution of the spike times: set block.annotations['dt'] to the sampling interval in s, of which they must "
                "be multiples, and save again"
            )
    return refused, reported
