"""Errors of the AuthN service.

```
AuthNError (APIRequestError)
├── AuthNUnauthorized          401
│   └── ErrUserInvalidCredentials [PermissionError]
├── AuthNForbidden             403 [PermissionError]
├── ErrUserNotFound            404 [LookupError]
├── ErrUserAlreadyExists       409
├── ErrRoleNotFound            404 [LookupError]
├── ErrRoleAlreadyExists       409
├── ErrClusterNotFound         404 [LookupError]
└── ErrClusterAlreadyRegistered 409
```
"""

# ruff: noqa: N818 - the names are those that programs catch

from __future__ import annotations

import errno

from aistore.sdk.errors import APIRequestError, InvalidArgument


class AuthNError(APIRequestError):
    """An error answer of the AuthN service."""


class AuthNUnauthorized(AuthNError):
    """The service wants a token, an administrator's as a rule, or does not accept the one it got."""


class AuthNForbidden(AuthNError, PermissionError):
    """The service does not permit this to anybody, or not to this user."""

    _errno = errno.EACCES


class ErrUserInvalidCredentials(AuthNUnauthorized, PermissionError):
    """The user's name or password is wrong."""

    _errno = errno.EACCES


class ErrUserNotFound(AuthNError, LookupError):
    """There is no such user."""


class ErrUserAlreadyExists(AuthNError):
    """There is such a user."""


class ErrRoleNotFound(AuthNError, LookupError):
    """There is no such role."""


class ErrRoleAlreadyExists(AuthNError):
    """There is such a role."""


class ErrClusterNotFound(AuthNError, LookupError):
    """No such cluster is registered."""


class ErrClusterAlreadyRegistered(AuthNError):
    """The cluster, or its alias, is registered."""


class UnknownClusterError(InvalidArgument, RuntimeError):
    """The AuthN service named no cluster for an id or alias."""
