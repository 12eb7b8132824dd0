"""Inventories: listings of a bucket that the cluster keeps as objects, to list from later."""

from __future__ import annotations

import msgspec

from aistore.sdk.bck.base import BucketBase
from aistore.sdk.bck.counts import check_count
from aistore.sdk.const import (
    ACT_CREATE_NBI,
    ACT_DESTROY_NBI,
    ACT_SHOW_NBI,
    HTTP_METHOD_DELETE,
    HTTP_METHOD_GET,
    HTTP_METHOD_POST,
)
from aistore.sdk.errors import ErrInvalidResponse
from aistore.sdk.types import CreateNBIMsg, NBIInfo


class BucketInventory(BucketBase):
    """The part of `Bucket` about inventories."""

    def create_inventory(
        self, name: str = "", prefix: str = "", props: str = "", names_per_chunk: int = 0, force: bool = False
    ) -> str:
        """Start a job that makes an inventory of the bucket.

        Args:
            name: Name of the inventory. Default: chosen by the cluster.
            prefix: Only objects whose names start with it. Default: all.
            props: Properties to keep, separated by commas. Default: the cluster's choice.
            names_per_chunk: Names in one chunk of the inventory. Default: 0, the cluster's choice.
            force: Make it even if there is one. Default: `False`.

        Returns:
            Id of the job, for `client.job(...)`.
        """
        check_count("names_per_chunk", names_per_chunk)
        message = CreateNBIMsg(
            name=name, prefix=prefix, props=props, names_per_chunk=names_per_chunk, force=force
        )
        return self.make_request(HTTP_METHOD_POST, ACT_CREATE_NBI, value=message.as_dict()).text

    def destroy_inventory(self, name: str = "") -> None:
        """Remove an inventory.

        Args:
            name: Name of the inventory. Default: the only one there is.
        """
        self.make_request(HTTP_METHOD_DELETE, ACT_DESTROY_NBI, name=name)

    def show_inventory(self, name: str = "") -> dict[str, NBIInfo]:
        """Return the bucket's inventories by name.

        Args:
            name: Only this one. Default: all.

        Raises:
            ErrInvalidResponse: The answer is not a map of inventories.
        """
        answer = self.make_request(HTTP_METHOD_GET, ACT_SHOW_NBI, name=name)
        try:
            found = answer.json()
            return {key: NBIInfo.model_validate(info) for key, info in (found or {}).items()}
        except (ValueError, AttributeError, msgspec.MsgspecError) as err:
            raise ErrInvalidResponse(f"not a map of inventories: {err}") from err
