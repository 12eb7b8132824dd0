"""Which error an answer of the AuthN service becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.sdk.authn.errors import (
    AuthNError,
    AuthNForbidden,
    AuthNUnauthorized,
    ErrClusterAlreadyRegistered,
    ErrClusterNotFound,
    ErrRoleAlreadyExists,
    ErrRoleNotFound,
    ErrUserAlreadyExists,
    ErrUserInvalidCredentials,
    ErrUserNotFound,
)
from aistore.sdk.response_handler import ResponseHandler, error_text

if TYPE_CHECKING:
    import requests

# By status and by what the message names; the last match counts.
_BY_NOUN: dict[int, tuple[tuple[str, type[AuthNError]], ...]] = {
    404: (("cluster ", ErrClusterNotFound), ("role ", ErrRoleNotFound), ("user ", ErrUserNotFound)),
    409: (
        ("cluster ", ErrClusterAlreadyRegistered),
        ("role ", ErrRoleAlreadyExists),
        ("user ", ErrUserAlreadyExists),
    ),
    401: (("", AuthNUnauthorized), ("invalid credentials", ErrUserInvalidCredentials)),
    403: (("", AuthNForbidden),),
}


class AuthNResponseHandler(ResponseHandler):
    """Turns error answers of the AuthN service into `AuthNError` and its kinds."""

    @property
    def exc_class(self) -> type[AuthNError]:
        """Class of every error that this handler makes."""
        return AuthNError

    def parse_error(self, r: requests.Response) -> AuthNError:
        """Return the error for an answer with status 400 or more."""
        text = error_text(r)
        found = AuthNError
        for words, error in _BY_NOUN.get(r.status_code, ()):
            if words in text:
                found = error
        request = r.request
        return found(r.status_code, text, str(getattr(request, "url", None) or ""), request)
