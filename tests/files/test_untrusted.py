import pytest

from qtrl.errors import RunFolderError
from qtrl.files.untrusted import read_parts


def test_parts_are_read_where_they_lie_and_none_beyond_the_end(tmp_path):
    (tmp_path / "rows").write_bytes(b"aabbcc")
    assert read_parts(tmp_path / "rows", [4, 0, 5, 6], 2) == [b"cc", b"aa"]


def test_links_are_not_followed(tmp_path):
    (tmp_path / "rows").write_bytes(b"aabbcc")
    (tmp_path / "link").symlink_to(tmp_path / "rows")
    with pytest.raises(RunFolderError, match="it is a link"):
        read_parts(tmp_path / "link", [0], 2)
    with pytest.raises(RunFolderError, match="expected a regular file"):
        read_parts(tmp_path, [0], 2)
    with pytest.raises(FileNotFoundError):
        read_parts(tmp_path / "none", [0], 2)
