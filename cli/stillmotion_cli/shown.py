"""Texts from elsewhere as they may be shown: they can neither steer the terminal nor look like lines of ours.

Whatever is no printable character is written as its escape: control characters and escape sequences, line breaks of
every kind (`\\u2028`, `\\x85`), and the marks that turn the direction of writing.
"""

from typing import Any

# Joiners that scripts and emoji need; alone they are not to be seen and move nothing.
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def one_line(value: Any) -> str:
    """A text from elsewhere on one line, whatever is in it."""
    return "".join(map(_shown, str(value)))


def clean(text: str) -> str:
    """A message of ours, whose own line breaks and tabs stay."""
    return "".join(char if char in "\n\t" else _shown(char) for char in text)


def _shown(char: str) -> str:
    if char.isprintable() or char in _JOINERS:
        return char
    if char.isspace() and char not in "\n\r\t\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029":
        return " "
    if char in _NAMED:
        return _NAMED[char]
    number = ord(char)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
