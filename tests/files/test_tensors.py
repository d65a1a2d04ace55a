import pytest
import torch

from qtrl.errors import CheckpointError, RunFolderError
from qtrl.files import tensors
from qtrl.files.tensors import read_tensors, write_tensors


def test_tensors_come_back_as_they_were_whatever_shares_memory(tmp_path):
    base = torch.arange(6.0, requires_grad=True)
    written = {"whole": base, "part": base[1:3], "turned": base.view(2, 3).T, "count": torch.tensor(3)}
    write_tensors(tmp_path / "tensors", written)
    read = read_tensors(tmp_path / "tensors")
    assert read.keys() == written.keys()
    assert all(torch.equal(read[name], value) and read[name].dtype == value.dtype for name, value in written.items())


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\xff" * 64, b"\x02" + 7 * b"\0" + b"{}" + b"more"])
def test_another_file_is_told(content, tmp_path):
    (tmp_path / "tensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="no file of safetensors"):
        read_tensors(tmp_path / "tensors")


def test_a_missing_a_linked_and_a_large_file_are_told(tmp_path, monkeypatch):
    with pytest.raises(CheckpointError, match="there is no"):
        read_tensors(tmp_path / "tensors")
    write_tensors(tmp_path / "tensors", {"one": torch.zeros(1)})
    (tmp_path / "link").symlink_to(tmp_path / "tensors")
    with pytest.raises(CheckpointError, match="it is a link"):
        read_tensors(tmp_path / "link")
    monkeypatch.setattr(tensors, "LARGEST", 10)
    with pytest.raises(CheckpointError, match="expected at most 10"):
        read_tensors(tmp_path / "tensors")


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(RunFolderError, match="cannot be written"):
        write_tensors(tmp_path / "none" / "tensors", {})
