"""Reading a dSort specification from a JSON or YAML file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aistore.sdk.errors import InvalidArgument
from aistore.sdk.utils import validate_file


def read_spec(path: Path) -> dict[str, Any]:
    """Return the mapping in a `.json`, `.yaml` or `.yml` file; YAML needs the extra `aistore[etl]`.

    Raises:
        InvalidArgument: The file is not there, of another kind, malformed, or holds no mapping.
    """
    validate_file(path)
    kind = path.suffix.lower()
    if kind not in {".json", ".yaml", ".yml"}:
        raise InvalidArgument(
            f"Specification must be a JSON or YAML file (.json, .yaml, .yml), not {path.name}"
        )
    text = path.read_text(encoding="utf-8")
    try:
        spec = json.loads(text) if kind == ".json" else _parse_yaml(text)
    except ValueError as err:
        raise InvalidArgument(f"{path} is malformed: {err}") from err
    if not isinstance(spec, dict):
        raise InvalidArgument("Specification must contain a mapping")
    return spec


def _parse_yaml(text: str) -> Any:
    try:
        import yaml
    except ImportError as err:
        raise InvalidArgument("a YAML specification needs PyYAML: pip install 'aistore[etl]'") from err
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as err:
        raise InvalidArgument(str(err)) from err
