"""How nouns show themselves in notebooks."""

from __future__ import annotations

from html import escape


def card(kind: str, name: str, more: str = "") -> str:
    """Return a line of HTML; texts are escaped.

    Args:
        kind: What it is.
        name: Its name.
        more: What else there is to say. Default: nothing.
    """
    tail = f" {escape(more)}" if more else ""
    return f"<b>{escape(kind)}</b> <code>{escape(name)}</code>{tail}"
