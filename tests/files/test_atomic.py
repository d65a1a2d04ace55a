import json
import os

import pytest

from qtrl.errors import RunFolderError
from qtrl.files.atomic import write_json, write_text


def test_a_text_file_is_replaced(tmp_path):
    path = tmp_path / "a.json"
    write_text(path, "old")
    write_text(path, "new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_plain_data_is_written_as_json(tmp_path):
    path, data = tmp_path / "a.json", {"number": 0.1, "text": "ü", "nothing": None, "list": [1, 2]}
    write_json(path, data)
    assert json.loads(path.read_text()) == data


def test_a_write_that_fails_keeps_the_old_text(tmp_path, monkeypatch):
    def fail(*args):
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.json"
    write_text(path, "old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(RunFolderError, match="a.json cannot be written: No space"):
        write_text(path, "new")
    assert path.read_text() == "old"
