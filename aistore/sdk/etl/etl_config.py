"""Which ETL a read or a copy goes through, and with which arguments."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aistore.sdk.const import QPARAM_ETL_ARGS, QPARAM_ETL_NAME, QPARAM_ETL_PIPELINE
from aistore.sdk.errors import InvalidArgumentType
from aistore.sdk.lazy import lazy_names

if TYPE_CHECKING:
    from aistore.sdk.etl.etl import Etl


@dataclass
class ETLConfig:
    """An ETL to apply inline.

    Args:
        name: Name of the ETL, or the `Etl`, possibly a pipeline made with `>>`.
        args: Arguments for its transform: a dictionary is sent as compact JSON, anything else as a query
            parameter of that value (a list or tuple repeats it, as with `requests`).
    """

    name: str | Etl | None = None
    args: Any = None

    def update_qparams(self, params: dict[str, Any]) -> None:
        """Add what this asks for to the query parameters of a request; nothing without a name.

        Raises:
            InvalidArgumentType: The name is of another type.
        """
        from aistore.sdk.etl.etl import Etl

        if not self.name:
            return
        if isinstance(self.name, Etl):
            params[QPARAM_ETL_NAME] = self.name.name
            params[QPARAM_ETL_PIPELINE] = ",".join(self.name.pipeline)
        elif isinstance(self.name, str):
            params[QPARAM_ETL_NAME] = self.name
        else:
            raise InvalidArgumentType(
                f"ETLConfig.name must be a str or an Etl, not {type(self.name).__name__}"
            )
        if not self.args:
            return
        is_json = isinstance(self.args, dict)
        params[QPARAM_ETL_ARGS] = json.dumps(self.args, separators=(",", ":")) if is_json else self.args


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "Etl")
