"""Attributes of an object together with its name and bucket."""

from __future__ import annotations

from aistore.sdk.const import AIS_BCK_NAME, AIS_BCK_PROVIDER, AIS_OBJ_NAME
from aistore.sdk.obj.object_attributes import ObjectAttributes


class ObjectProps(ObjectAttributes):
    """What `Object.head` and `Object.props` return."""

    @property
    def bucket_name(self) -> str:
        """Name of the bucket."""
        return self._text(AIS_BCK_NAME)

    @property
    def bucket_provider(self) -> str:
        """Provider of the bucket."""
        return self._text(AIS_BCK_PROVIDER)

    @property
    def name(self) -> str:
        """Name of the object."""
        return self._text(AIS_OBJ_NAME)
