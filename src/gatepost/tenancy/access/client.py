"""What a client says of itself, made fit to be stored and shown: printable, and short."""

from typing import Final

MAX_CHARACTERS: Final = 120


def describe_client(*parts: str) -> str:
    """Join what a client said; what is not printable ASCII becomes ``?``, and what is too long is cut.

    Nobody has proved any of it. It is shown to people, so nothing in it may end a line or move a cursor.
    """
    text = " ".join([part[: 2 * MAX_CHARACTERS] for part in parts if part])
    clean = "".join([each if " " <= each <= "~" else "?" for each in text])
    return clean if len(clean) <= MAX_CHARACTERS else clean[: MAX_CHARACTERS - 3] + "..."
