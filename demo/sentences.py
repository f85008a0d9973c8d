"""What may be said back to a visitor: how given text is repeated in a sentence, and which text can be used at all.

Knows lengths and letters. Does not know what any text is for.
"""

from __future__ import annotations

from models.omni import McGurkError

QUOTED = 40  # characters of given text that a sentence repeats
NAMED = 80  # characters of a file's name that a sentence repeats
LONGEST = 400  # characters of a sentence


def quoted(given: object, longest: int = QUOTED) -> str:
    """Given text in quotation marks for a sentence, on one line, cut where it is long."""
    text = given if isinstance(given, str) else str(given)[: longest + 1]
    return repr(text if len(text) <= longest else text[: longest - 3] + "...")


def shortened(sentence: str) -> str:
    """A sentence on one line that can be shown and sent, cut where it is far too long."""
    line = " ".join(sentence[: 4 * LONGEST].split()).encode("utf-8", "replace").decode()
    return line if len(line) <= LONGEST else line[: LONGEST - 3].rstrip() + "..."


def check_letters(what: str, text: object) -> None:
    """Raises McGurkError for what is no text, or has code points that are no letters (lone surrogates)."""
    if not isinstance(text, str):
        raise McGurkError(f"{what} must be text, not {quoted(text)}.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise McGurkError(f"{what} has a broken character (number {error.start + 1}): type it again.") from error
