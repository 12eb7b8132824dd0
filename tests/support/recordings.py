"""Exchanges recorded between the 2.0.0 package and a real cluster (`tests/data/wire`)."""

import base64
import json
import re
from pathlib import Path

WIRE = Path(__file__).resolve().parent.parent / "data" / "wire"
_MARK = re.compile(r"\{\{(?:\w+:)?([^}]*)\}\}")


def records(name: str) -> list[dict]:
    """Give the exchanges of a recording, each with where it is: file and line."""
    with (WIRE / f"{name}.jsonl").open() as file:
        return [{**json.loads(line), "where": f"{name}:{number}"} for number, line in enumerate(file, 1)]


def unmarked(text: str | list[str]) -> str:
    """Give text with marked values (`{{id:x}}`) as they were; several header lines as one."""
    return _MARK.sub(r"\1", text if isinstance(text, str) else ", ".join(text))


def body_bytes(body: dict | None) -> bytes | None:
    """Give a recorded body, or `None` when only a part of it was kept."""
    if not body or "empty" in body:
        return b""
    if "b64" in body.get("bin", {}):
        return base64.b64decode(body["bin"]["b64"])
    if "text" in body and len(text := unmarked(body["text"]).encode()) == body["len"]:
        return text
    if "json" in body:
        return json.dumps(body["json"]).encode()
    return None


def plain(value):
    """Give a recorded value as it was: without marks, and without what was cut away."""
    if isinstance(value, dict):
        return {unmarked(key): plain(item) for key, item in value.items() if key != "$more_keys"}
    if isinstance(value, list):
        return [plain(item) for item in value if not (isinstance(item, dict) and "$more" in item)]
    if isinstance(value, str):
        return (
            int(number) if value.startswith("{{ts_ns:") and (number := unmarked(value)) else unmarked(value)
        )
    return value
