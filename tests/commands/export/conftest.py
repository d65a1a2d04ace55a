import pytest


@pytest.fixture
def refusal(capsys):
    """Call a command with arguments that it refuses, and return the one line that it says."""

    def refused(command, *arguments):
        assert command(*arguments) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        return line

    return refused
