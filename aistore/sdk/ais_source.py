"""What datasets read from: anything that names objects, such as a bucket or a group of objects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING

from aistore.sdk.lazy import lazy_names

if TYPE_CHECKING:
    from aistore.sdk.etl import ETLConfig
    from aistore.sdk.obj.object import Object
    from aistore.sdk.request_client import RequestClient


class AISSource(ABC):
    """A source of objects: `Bucket` and `ObjectGroup`."""

    @property
    @abstractmethod
    def client(self) -> RequestClient:
        """The client that requests go through."""

    @abstractmethod
    def list_all_objects_iter(self, prefix: str = "", props: str = "name,size") -> Iterable[Object]:
        """Return every object, as it becomes known.

        Args:
            prefix: Only names that start with it. Default: all.
            props: Properties to fetch with the names, separated by commas. Default: `name,size`.
        """

    @abstractmethod
    def list_urls(self, prefix: str = "", etl: ETLConfig | None = None) -> Iterable[str]:
        """Return the URL of every object.

        Args:
            prefix: Only names that start with it. Default: all.
            etl: Transform the objects when the URLs are read. Default: no.
        """


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "ETLConfig", "Object", "RequestClient")
