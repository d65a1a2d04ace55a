import pytest

from qtrl.errors import RunFolderError
from qtrl.run.lock import locked


def test_a_folder_is_locked_until_the_block_ends(tmp_path):
    said = f"folder={tmp_path} is in use by another process"
    with locked(tmp_path), pytest.raises(RunFolderError, match=said), locked(tmp_path, "folder"):
        pass
    with locked(tmp_path):
        pass
