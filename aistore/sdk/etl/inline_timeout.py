"""How long a request with an ETL waits: as long as the ETL may take for an object."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aistore.sdk.const import QPARAM_ETL_NAME, QPARAM_ETL_PIPELINE
from aistore.sdk.errors import ErrETLNotFound, SDKError
from aistore.sdk.etl.etl_const import DEFAULT_ETL_OBJ_TIMEOUT
from aistore.sdk.utils import convert_to_seconds

if TYPE_CHECKING:
    from aistore.sdk.request_client import RequestClient

logger = logging.getLogger(__name__)


def inline_timeout(client: RequestClient, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments that a request needs to wait for its ETL; none without an ETL.

    The limits that a program has set for its client hold for ETLs, too.

    Args:
        client: Sends the request; a mock in the place of a client has no limits of its own.
        params: Query parameters of the request.
    """
    name = params.get(QPARAM_ETL_NAME)
    if not name or getattr(client, "waits_by_default", False) is not True:
        return {}
    connect, read, _ = client.limits({})
    stages = [name, *filter(None, str(params.get(QPARAM_ETL_PIPELINE) or "").split(","))]
    seconds = sum(_obj_timeout(client, stage) for stage in stages) + (connect or 0)
    return {"timeout": (connect, max(read or 0, seconds))}


def forget_timeout(client: RequestClient, name: str) -> None:
    """Forget the time limit of an ETL, which is started or deleted.

    Args:
        client: The client.
        name: Name of the ETL.
    """
    known = getattr(client, "etl_timeouts", None)
    if isinstance(known, dict):  # a mock in the place of a client knows none
        known.pop(name, None)


def _obj_timeout(client: RequestClient, name: str) -> float:
    """Return how many seconds an ETL may take for an object; a client asks once for each ETL."""
    from aistore.sdk.etl.etl import Etl

    known = client.etl_timeouts.get(name)
    if known is not None:
        return known
    seconds = float(convert_to_seconds(DEFAULT_ETL_OBJ_TIMEOUT))
    try:
        details = Etl(client, name).view()
        seconds = float(convert_to_seconds(details.init_msg.obj_timeout or DEFAULT_ETL_OBJ_TIMEOUT))
    except ErrETLNotFound:
        return seconds  # it may be started later
    except SDKError as err:
        # A token may permit to use an ETL and not to look at it.
        logger.debug("Cannot get the time limit of ETL %s, using %s: %s", name, DEFAULT_ETL_OBJ_TIMEOUT, err)
    client.etl_timeouts[name] = seconds
    return seconds
