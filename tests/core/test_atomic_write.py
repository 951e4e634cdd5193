"""`replaced`: a file is the new one, or what was there."""
# Imports internals: files that the package writes do not show each moment of their replacement.

from __future__ import annotations

import pytest

from nsnn_neuro.core import atomic_write


def test_a_block_that_ends_well_replaces_and_keeps_permissions(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(0o640)
    with atomic_write.replaced(path) as new:
        assert new.parent == tmp_path
        new.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("old", ["old", None])
def test_after_an_exception_nothing_has_changed(tmp_path, old):
    path = tmp_path / "a.txt"
    if old is not None:
        path.write_text(old)

    def interrupted():
        with atomic_write.replaced(path) as new:
            new.write_text("ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [p.read_text() for p in tmp_path.iterdir()] == ([] if old is None else [old])


def test_two_writers_have_names_of_their_own(tmp_path):
    path = tmp_path / "a.txt"
    with atomic_write.replaced(path) as one, atomic_write.replaced(path) as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"
