# ruff: noqa: N818 - named for what happened, as the cluster's own type codes are
"""What can go wrong in the local cluster, with the status and type code a real cluster answers.

```
LocalClusterError [OSError]      starting or stopping the server, raised in the caller's process
LocalError                       an answer: status, tcode, message
├── InvalidRequest               400
│   ├── InvalidName              400 errInvalidPath
│   ├── BucketExists             409 (400 where the cluster says so)
│   └── BucketNotEmpty           409, S3 only: the cluster removes objects with their bucket
├── NotFound                     404 ErrNotFound
│   ├── BucketNotFound           404 ErrBckNotFound
│   ├── ObjectNotFound           404 ErrNotFound, prefixed with the node that looked
│   ├── UploadNotFound           404 ErrNotFound: a multipart upload that was completed or aborted
│   └── PartNotFound             404: a part that was sent again, or whose ETag is another
├── ObjectChanged                409: another request changed the object meanwhile
├── ChecksumMismatch             500 ErrBadCksum
├── OutOfSpace                   507 ErrCapExceeded
├── ReadOnlyDisk                 500
├── FolderReplaced               500: the data folder is not the one that the server opened
├── RangeNotSatisfiable          416
└── Unsupported                  501 ErrUnsupp
```
"""

from __future__ import annotations

from aistore.errors import SDKError


class LocalClusterError(SDKError, OSError):
    """The local cluster could not be started or stopped; the message says why and what would help."""


class LocalError(Exception):
    """An answer other than success.

    Args:
        message (str): What was wrong.
        status (int): HTTP status, default by class.
        tcode (str): The cluster's type code, empty where it sends none.
        with_node (bool): Prefix the message with the name of the answering node, as the cluster does.
        plain (bool): Answer as plain text instead of the JSON error body.
        headers (dict[str, str]): Extra response headers.
    """

    status = 400
    tcode = ""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        tcode: str | None = None,
        with_node: bool = False,
        plain: bool = False,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if status is not None:
            self.status = status
        if tcode is not None:
            self.tcode = tcode
        self.with_node = with_node
        self.plain = plain
        self.headers = headers or {}


class InvalidRequest(LocalError):
    """A request that can't be carried out as it is."""


class InvalidName(InvalidRequest):
    """An object name or a prefix that the cluster refuses."""

    tcode = "errInvalidPath"


class BucketExists(InvalidRequest):
    """The bucket is there already."""

    status = 409
    tcode = "ErrBucketAlreadyExists"

    def __init__(self, bck: object, *, status: int = 409) -> None:
        super().__init__(f'bucket "{bck}" already exists', status=status)


class BucketNotEmpty(InvalidRequest):
    """The bucket has objects."""

    status = 409

    def __init__(self, bck: object) -> None:
        super().__init__(f'bucket "{bck}" is not empty: delete its objects first')


class NotFound(LocalError):
    """Something that was named does not exist."""

    status = 404
    tcode = "ErrNotFound"


class BucketNotFound(NotFound):
    """The bucket does not exist."""

    tcode = "ErrBckNotFound"

    def __init__(self, bck: object) -> None:
        super().__init__(f'bucket "{bck}" does not exist')


class ObjectNotFound(NotFound):
    """The object does not exist."""

    def __init__(self, bck: object, name: str) -> None:
        super().__init__(f"{bck}/{name} does not exist", with_node=True)


class UploadNotFound(NotFound):
    """The multipart upload does not exist, or was completed or aborted meanwhile."""

    def __init__(self, bucket: str, name: str, upload: str) -> None:
        super().__init__(f"o[{bucket}/{name}(-)]: {upload} does not exist")


class PartNotFound(NotFound):
    """A part that is to be used is no longer part of its upload."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(f"part {number} {why}: complete the upload with the parts that it has now", tcode="")


class ObjectChanged(LocalError):
    """The object is not the one that a change was based on."""

    status = 409

    def __init__(self, bck: object, name: str) -> None:
        super().__init__(f"{bck}/{name} was changed by another request meanwhile: try again")


class ChecksumMismatch(LocalError):
    """The bytes are not those that the sender announced."""

    status = 500
    tcode = "ErrBadCksum"

    def __init__(self, kind: str, expected: str, actual: str, where: str) -> None:
        super().__init__(f"BAD DATA CHECKSUM: {kind}({expected} != {actual}) (context: {where})")


class OutOfSpace(LocalError):
    """The quota is used up, or the disk is full."""

    status = 507
    tcode = "ErrCapExceeded"


class ReadOnlyDisk(LocalError):
    """The disk does not take writes."""

    status = 500


class FolderReplaced(LocalError):
    """Another folder, or none, is at the path of the data folder while the server runs."""

    status = 500

    def __init__(self, path: object) -> None:
        super().__init__(
            f"{str(path)!r} is not what this server opened: nothing more is written; "
            "put the folder back, or start the server again"
        )


class RangeNotSatisfiable(LocalError):
    """A byte range that the object doesn't have; `size` is sent back where the cluster sends it."""

    status = 416

    def __init__(self, message: str, *, tcode: str = "", size: int | None = None) -> None:
        headers = {} if size is None else {"Content-Range": f"bytes */{size}"}
        super().__init__(message, tcode=tcode, headers=headers)


class Unsupported(LocalError):
    """What the cluster, or one machine, can't do."""

    status = 501
    tcode = "ErrUnsupp"

    def __init__(self, what: str, *, status: int = 501) -> None:
        super().__init__(f"{what} - operation not supported", status=status)
