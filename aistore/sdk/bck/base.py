"""A bucket's identity, and how its requests are addressed."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from aistore.sdk.ais_source import AISSource
from aistore.sdk.const import (
    HTTP_METHOD_HEAD,
    QPARAM_BCK_TO,
    QPARAM_NAMESPACE,
    QPARAM_PROVIDER,
    URL_PATH_BUCKETS,
)
from aistore.sdk.errors import ErrBckNotFound, ErrRemoteBckNotFound, InvalidArgument, InvalidBckProvider
from aistore.sdk.namespace import Namespace
from aistore.sdk.provider import Provider
from aistore.sdk.types import ActionMsg, BucketModel
from aistore.wire.names import check_bucket_name

if TYPE_CHECKING:
    import requests
    from requests.structures import CaseInsensitiveDict

    from aistore.sdk.models.listing import BucketEntry
    from aistore.sdk.obj.object import BucketDetails, Object
    from aistore.sdk.obj.object_props import ObjectProps
    from aistore.sdk.request_client import RequestClient

_GLOBAL = Namespace().get_path()


class BucketBase(AISSource):
    """Name, provider, namespace and client of a bucket."""

    def __init__(
        self,
        name: str,
        client: RequestClient,
        provider: Provider | str = Provider.AIS,
        namespace: Namespace | None = None,
    ) -> None:
        self._client = client
        self._name = name
        self._provider = Provider.parse(provider)
        self._namespace = namespace
        self._own_details: BucketDetails | None = None
        self._qparam = {QPARAM_PROVIDER: self._provider.value}
        if namespace:
            self._qparam[QPARAM_NAMESPACE] = namespace.get_path()

    @property
    def client(self) -> RequestClient:
        """The client that requests go through."""
        return self._client

    @client.setter
    def client(self, client: RequestClient) -> None:
        self._client = client

    @property
    def qparam(self) -> dict[str, str]:
        """Query parameters that identify the bucket besides its name."""
        return self._qparam

    @property
    def provider(self) -> Provider:
        """Provider of the bucket."""
        return self._provider

    @property
    def name(self) -> str:
        """Name of the bucket."""
        return self._name

    @property
    def namespace(self) -> Namespace | None:
        """Namespace of the bucket; `None` is the global one."""
        return self._namespace

    def _identity(self) -> tuple[Any, ...]:
        namespace = self._namespace or Namespace()
        return self._provider, namespace.uuid, namespace.name, self._name

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BucketBase):
            return NotImplemented
        if self._identity() != other._identity():
            return False
        return self._client is other._client or _endpoint(self._client) == _endpoint(other._client)

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        namespace = f", namespace={self._namespace!r}" if self._namespace else ""
        return f"{type(self).__name__}(name={self._name!r}, provider={self._provider.value!r}{namespace})"

    def _repr_html_(self) -> str:
        from aistore.sdk.notebook import card

        namespace = f"in {self._namespace.get_path()}" if self._namespace else ""
        return card("Bucket", f"{self._provider.value}://{self._name}", namespace)

    def get_path(self) -> str:
        """Return `provider/@uuid#namespace/name/`, as query parameters name another bucket."""
        namespace = self._namespace.get_path() if self._namespace else _GLOBAL
        return f"{self._provider.value}/{namespace}/{self._name}/"

    def as_model(self) -> BucketModel:
        """Return the bucket's address as it travels in JSON."""
        return BucketModel(name=self.name, provider=self.provider.value, namespace=self.namespace)

    def verify_cloud_bucket(self) -> None:
        """Check that the bucket's objects live in a cloud.

        Raises:
            InvalidBckProvider: They live in the cluster itself.
        """
        if not self.provider.is_remote():
            raise InvalidBckProvider(self.provider)

    def _verify_ais_bucket(self) -> None:
        if self.provider.is_remote():
            raise InvalidBckProvider(self.provider)

    def _path(self) -> str:
        # The name is checked before each request, not when the bucket is named: it may never be used.
        return f"{URL_PATH_BUCKETS}/{check_bucket_name(self._name)}"

    def _require_client(self) -> RequestClient:
        if self._client is None:
            raise InvalidArgument(
                "Bucket requires a client to use functions. "
                "Try defining a client and accessing this bucket with client.bucket()"
            )
        return self._client

    def _to_bucket(self, other: BucketModel) -> dict[str, str]:
        return {**self.qparam, QPARAM_BCK_TO: other.get_path()}

    def make_request(
        self,
        method: str,
        action: str,
        value: dict[str, Any] | None = None,
        params: dict[str, Any] | None = None,
        name: str = "",
    ) -> requests.Response:
        """Send a control message to the bucket.

        Args:
            method: HTTP method, for instance `post`.
            action: What to do, for instance `create-bck`.
            value: How; a dictionary that becomes JSON. Default: `None`.
            params: Query parameters. Default: those that identify the bucket.
            name: Name of what is acted on in the bucket. Default: "".

        Raises:
            InvalidArgument: The bucket has no client, or its name cannot be one (also a `ValueError`).
        """
        client = self._require_client()
        return client.request(
            method,
            path=self._path(),
            json=ActionMsg(action=action, name=name, value=value).as_dict(),
            params=params or self.qparam,
        )

    def head(self) -> CaseInsensitiveDict[str]:
        """Return the headers that describe the bucket; its properties are JSON in `Ais-Bucket-Props`.

        Raises:
            ErrBckNotFound: There is no such bucket.
        """
        answer = self._require_client().request(HTTP_METHOD_HEAD, path=self._path(), params=self.qparam)
        return answer.headers

    def exists(self) -> bool:
        """Return whether the bucket exists; a remote one as far as its provider tells.

        Raises:
            AISError: The cluster does not tell, for example to a client without permission.
        """
        try:
            self.head()
        except (ErrBckNotFound, ErrRemoteBckNotFound):
            return False
        return True

    def __contains__(self, obj_name: str) -> bool:
        return self.object(obj_name).exists()

    def object(self, obj_name: str, props: ObjectProps | BucketEntry | None = None) -> Object:
        """Return the object of this name. No request is made; the object need not exist.

        Args:
            obj_name: Name in the bucket.
            props: Properties that are known already, or the entry of a listing that has them. Default:
                fetched when asked for.
        """
        return _object_classes()[0](self._client, self._details(), obj_name, props)

    def _details(self) -> BucketDetails:
        """Return what the bucket's objects know of it: they share it."""
        known = self._own_details
        if known is None or known.name != self._name:  # `rename` gives it another
            details = _object_classes()[1]
            known = self._own_details = details(self._name, self._provider, self._qparam, self.get_path())
        return known


@functools.cache
def _object_classes() -> tuple[type[Object], type[BucketDetails]]:
    # An import of its own costs more than all else that makes an object.
    from aistore.sdk.obj.object import BucketDetails, Object

    return Object, BucketDetails


def destination(bucket: Any, what: str = "to_bck") -> BucketModel:
    """Return the address of a bucket that a job is to work on.

    Args:
        bucket: The bucket.
        what: What to call it in an error. Default: `to_bck`, where to write to.

    Raises:
        InvalidArgument: It is not a bucket, or its name cannot be one.
    """
    if not callable(getattr(bucket, "as_model", None)):
        raise InvalidArgument(f"{what} must be a Bucket, such as client.bucket('name'), not {bucket!r}")
    model: BucketModel = bucket.as_model()
    check_bucket_name(model.name)
    return model


def _endpoint(client: Any) -> Any:
    return getattr(client, "base_url", client)
