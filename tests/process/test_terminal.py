import os
import subprocess
import sys

import pytest

SAY = "import qtrl.process.terminal as t; t.keep_output_harmless(); print('1 ± 2', flush=True); {}"


def run(then, **options):
    return subprocess.run([sys.executable, "-c", SAY.format(then)], timeout=60, check=False, **options)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_characters_that_an_encoding_lacks_are_escaped(encoding):
    done = run("", env={**os.environ, "PYTHONIOENCODING": encoding}, capture_output=True)
    assert done.stdout == {"ascii": b"1 \\xb1 2\n", "latin-1": b"1 \xb1 2\n", "utf-8": b"1 \xc2\xb1 2\n"}[encoding]
    assert (done.returncode, done.stderr) == (0, b"")


def test_what_nobody_reads_or_no_disk_takes_is_dropped():
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        assert run("print(1)", stdout=full, stderr=full).returncode == 0
    reading, writing = os.pipe()
    os.close(reading)
    assert run("print(1)", stdout=writing, stderr=writing).returncode == 0
    os.close(writing)


def test_closed_streams_leave_no_number_to_files(tmp_path):
    then = f"file = open({str(tmp_path / 'kept')!r}, 'w'); assert file.fileno() > 2; print(3, file=sys.stderr)"
    script = f"import sys; {SAY.format(then)}"
    closing = subprocess.run(["sh", "-c", f'{sys.executable} -c "$0" <&- >&- 2>&-', script], timeout=60, check=False)
    assert closing.returncode == 0


def test_streams_of_others_stay(capsys):
    from qtrl.process.terminal import keep_output_harmless

    keep_output_harmless()
    print("heard")
    assert capsys.readouterr().out == "heard\n"
