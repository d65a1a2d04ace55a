"""Turn a video of a test into a small GIF that plays in a README.

python tests/benchmarks/video_to_gif.py runs/NAME/videos/TIME.mp4 docs/walking.gif [--start 2 --seconds 6 --width 320]

It gets narrower until the file is below the limit.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg

NARROWER = 0.85
SMALLEST = 64
FILTER = (
    "fps={fps},scale={width}:-2:flags=lanczos,split[a][b];"
    "[a]palettegen=max_colors=128:stats_mode=diff[palette];"
    "[b][palette]paletteuse=dither=bayer:bayer_scale=4:diff_mode=rectangle"
)
"""Colours of a palette made from what moves; of each frame only the rectangle that changed is stored."""


def to_gif(video: Path, gif: Path, *, start: float, seconds: float, width: int, fps: float, limit: int) -> int:
    """Write a GIF that repeats without end and is at most `limit` bytes large; return its width in pixels.

    Args:
        video: What ffmpeg reads.
        gif: Where to write; replaced if it exists, and left as it was after an error.
        start: Seconds that are left out at the beginning.
        seconds: Length of what follows.
        width: In pixels, at first.
        fps: Frames per second.
        limit: In bytes.

    Raises:
        SystemExit: The video cannot be read, has nothing after `start`, or no width is narrow enough.
    """
    part = gif.with_name(f".{gif.name}.part")
    try:
        while width >= SMALLEST:
            cut = ["-ss", str(start), "-t", str(seconds), "-i", str(video)]
            filters = ["-vf", FILTER.format(fps=fps, width=width)]
            command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *cut, *filters, "-loop", "0", "-f", "gif"]
            done = subprocess.run([*command, str(part)], capture_output=True, text=True)
            if done.returncode or not part.stat().st_size:
                reason = (done.stderr.strip() or "there is nothing after the start").splitlines()[-1]
                raise SystemExit(f"cannot make a GIF of {video}: {reason}")
            if part.stat().st_size <= limit:
                part.replace(gif)
                return width
            width = int(width * NARROWER)
    finally:
        part.unlink(missing_ok=True)
    raise SystemExit(f"{gif} is above {limit:,} bytes at any width: take fewer --seconds or a lower --fps")


def main(arguments: list[str]) -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("gif", type=Path)
    parser.add_argument("--start", type=float, default=0.0, help="seconds left out at the beginning")
    parser.add_argument("--seconds", type=float, default=6.0, help="length")
    parser.add_argument("--width", type=int, default=320, help="pixels, at most")
    parser.add_argument("--fps", type=float, default=15.0, help="frames per second")
    parser.add_argument("--limit", type=int, default=2_000_000, help="bytes, at most")
    options = vars(parser.parse_args(arguments))
    width = to_gif(**options)
    print(f"{options['gif']}: {options['gif'].stat().st_size:,} bytes, {width} pixels wide")


if __name__ == "__main__":
    main(sys.argv[1:])
