"""Words for the pages: names from outside, which Streamlit would take for Markdown, and numbers of things."""

from __future__ import annotations

import re


def escaped(text: str) -> str:
    """The text on one line, every mark in it that Markdown, links or formulas could be made of as itself."""
    return re.sub(r"([\\`*_{}\[\]()<>#+\-!|~$:&^=@])", r"\\\1", " ".join(text.split()))


def count(number: int, thing: str) -> str:
    """Such as ``3 clips``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
