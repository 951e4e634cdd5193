"""How much memory the machine has left."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def free_memory() -> int:
    """Bytes that are free or hold cached files, within the limit of a container."""
    free = []
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free.append(1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")))
        limit, used, parts = (
            Path(f"/sys/fs/cgroup/memory.{name}").read_text(encoding="ascii")
            for name in ("max", "current", "stat")
        )
        cached = next(
            int(line.split()[1]) for line in parts.splitlines() if line.startswith("inactive_file ")
        )
        free.append(max(0, int(limit) - int(used) + cached))
    except (OSError, ValueError, StopIteration):
        pass
    return min(free) if free else os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def most_used() -> int:
    """Bytes that this process has had at most; 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
