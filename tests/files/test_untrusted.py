import pytest

from qtrl.errors import RunFolderError
from qtrl.files.untrusted import NotAnObjectError, read_json_object, read_parts


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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": ', "is not JSON, or not whole"),
        ("\xff", "is not JSON, or not whole"),
        ("[" * 10**5, "is not JSON, or not whole"),
        ("[]", "is no JSON object"),
    ],
)
def test_what_is_no_json_object_is_told_with_its_path(tmp_path, text, said):
    (tmp_path / "a.json").write_text(text, encoding="latin-1")
    with pytest.raises(NotAnObjectError, match=f"a.json {said}$"):
        read_json_object(tmp_path / "a.json")


def test_a_json_object_of_a_bounded_size_is_read(tmp_path):
    (tmp_path / "a.json").write_text('{"a": 1}')
    assert read_json_object(tmp_path / "a.json") == {"a": 1}
    with pytest.raises(RunFolderError, match="has 8 bytes, expected at most 7"):
        read_json_object(tmp_path / "a.json", limit=7)
    with pytest.raises(FileNotFoundError):
        read_json_object(tmp_path / "none.json")
