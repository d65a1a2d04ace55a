import numpy as np
import pytest
from video_to_gif import main

from qtrl.envs import write_video


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A second of noise, which compresses badly."""
    frames = np.random.default_rng(0).integers(0, 255, (10, 80, 120, 3), np.uint8)
    return write_video(tmp_path_factory.mktemp("videos") / "noise.mp4", frames, 10)


def test_a_gif_plays_and_is_below_the_limit(video, tmp_path, capsys):
    gif = tmp_path / "small.gif"
    main([str(video), str(gif), "--seconds", "0.5", "--width", "120", "--fps", "10", "--limit", "35000"])
    content = gif.read_bytes()
    assert content.startswith(b"GIF89a") and b"NETSCAPE2.0" in content and len(content) <= 35_000
    assert 64 <= int.from_bytes(content[6:8], "little") < 120
    assert f"{len(content):,} bytes" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [gif]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--limit", "10", "--width", "70"], "fewer --seconds"),
        (["--start", "60"], "cannot make a GIF"),
        ([], "cannot make a GIF"),
    ],
)
def test_what_cannot_be_made_is_told_and_leaves_nothing(video, tmp_path, arguments, words):
    source = video if arguments else tmp_path / "none.mp4"
    with pytest.raises(SystemExit, match=words):
        main([str(source), str(tmp_path / "small.gif"), *arguments])
    assert not list(tmp_path.iterdir())
