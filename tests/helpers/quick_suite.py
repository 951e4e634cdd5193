"""Which tests the quick suite leaves to `make test-all`: of a test with many parameters all but the first, a middle and the last."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

MOST = 3


def left_out(tests: Sequence[Hashable | None]) -> list[int]:
    """Places of the tests that are left out; each test is the name of its function, None for one without parameters.

    >>> left_out(["a", None, "b", "a", "a", "a", "b"])
    [3]
    """
    places: dict[Hashable, list[int]] = {}
    for place, name in enumerate(tests):
        if name is not None:
            places.setdefault(name, []).append(place)
    found = []
    for same in places.values():
        if len(same) > MOST:
            kept = {same[0], same[len(same) // 2], same[-1]}
            found += [place for place in same if place not in kept]
    return sorted(found)
