"""`-`: a picture from standard input, a clip to standard output."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from stillmotion_cli.errors import BadInput

STANDARD = Path("-")
FOLDER_PREFIX = "stillmotion-"
"""Of the folder that a picture from standard input is put into."""
_FILE = "standard-input"
# More than any stack takes. A limit, so that a stream without an end cannot fill the disk.
MAX_BYTES = 64 * 1024 * 1024


def pictures(given: Sequence[str], folder: Path) -> list[str]:
    """The pictures; `-` becomes a file in `folder` that holds what came on standard input."""
    if "-" not in given:
        return list(given)
    if given.count("-") > 1:
        raise BadInput("- is given twice, but standard input holds one picture. Give the other one by its path.")
    stream = typer.get_binary_stream("stdin")
    if stream.isatty():
        raise BadInput("- is a picture on standard input, and nothing is piped into it. For example: cat a.jpg | …")
    content = stream.read(MAX_BYTES + 1)
    if not content:
        raise BadInput("- is a picture on standard input, and there was nothing on it.")
    if len(content) > MAX_BYTES:
        raise BadInput(f"- has more than {MAX_BYTES:,} bytes, which is too large for a picture.")
    file = folder / _FILE
    file.write_bytes(content)
    return [str(file) if one == "-" else one for one in given]


def typed(picture: str) -> str:
    """A picture as it was given: the file that holds standard input has another name each time."""
    path = Path(picture)
    return "-" if path.name == _FILE and path.parent.name.startswith(FOLDER_PREFIX) else picture


def check_output(as_json: bool) -> None:
    """Make sure that a clip can go to standard output. Raises BadInput where it cannot."""
    if as_json:
        raise BadInput("-o - writes the clip to standard output, where --json prints. Leave one of them out.")
    if sys.stdout.isatty():
        raise BadInput(
            "-o - writes the clip to standard output, which is a terminal. Send it elsewhere: … -o - > a.mp4"
        )


def write(clip: Path) -> None:
    """Write a file to standard output."""
    stream = typer.get_binary_stream("stdout")
    with clip.open("rb") as file:
        shutil.copyfileobj(file, stream)
    stream.flush()
