"""The whole of AuthN as the rest of the server sees it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from operator import itemgetter
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from aistore.local.authn.accounts import Accounts
from aistore.local.authn.jwt import InvalidToken
from aistore.local.authn.tokens import Tokens

if TYPE_CHECKING:
    from pathlib import Path

    from aistore.local.admin import Admin
    from aistore.local.authn.identity import Identity
    from aistore.local.catalog import Catalog

SIGNATURE = "sig"
"""Query parameter of a redirect: the proxy has checked this request."""

_SIGNED_FOR = 60.0


class Authn:
    """Accounts and tokens of one folder.

    Args:
        catalog (Catalog): Where they are kept.
        root (Path): The data folder; nobody else may read its catalog from now on.
        admin (Admin): The built-in user.

    Attributes:
        accounts: Users, roles and clusters.
        tokens: Issues and checks tokens.
        new_password: The password that was made up, to be told once; otherwise empty.
        url: Of the AuthN service, once it is known.
    """

    def __init__(self, catalog: Catalog, root: Path, admin: Admin) -> None:
        for path in root.glob("catalog.sqlite*"):
            path.chmod(0o600)
        self.accounts = Accounts(catalog, admin.name, admin.password)
        self.new_password = ""
        if self.accounts.users.find(admin.name) is None:
            self.new_password = secrets.token_urlsafe(18)
            self.accounts.set_admin(self.new_password)
        self.tokens = Tokens(catalog)
        self.url = ""
        # Redirects are followed at once: the key need not outlive the process.
        self._redirect_key = secrets.token_bytes(32)

    def identify(self, token: str) -> Identity:
        """The bearer of a token, who must still be there.

        Raises:
            InvalidToken: Says why it isn't taken, without repeating it.
        """
        identity = self.tokens.check(token)
        user = self.accounts.users.find(identity.user)
        if user is None or user.serial != identity.serial:
            raise InvalidToken("the token's user was removed")
        return identity

    def signature(self, method: str, raw_path: str, raw_query: str) -> str:
        """What a redirect carries, so that the target takes the request without a token.

        Not every client sends its token to another port (`requests` doesn't). It covers the verb, the path
        and every parameter, and is good for a minute.
        """
        now = str(int(time.time()))
        return f"{now}.{self._sign(now, method, raw_path, raw_query)}"

    def is_signed(self, method: str, raw_path: str, raw_query: str) -> bool:
        """Whether the proxy sent this request to a target, less than a minute ago."""
        found = [value for key, value in _pairs(raw_query) if key == SIGNATURE]
        if len(found) != 1:
            return False
        when, _, signature = found[0].partition(".")
        if not (when.isascii() and when.isdigit() and len(when) < 12):
            return False
        wanted = self._sign(when, method, raw_path, raw_query)
        if not hmac.compare_digest(signature.encode("utf-8", "surrogateescape"), wanted.encode()):
            return False
        return abs(time.time() - int(when)) <= _SIGNED_FOR

    def _sign(self, when: str, method: str, raw_path: str, raw_query: str) -> str:
        # What is signed is what the request means: clients spell escapes in their own ways. Parameters of the
        # same name keep their order, as the first one counts.
        pairs = sorted((pair for pair in _pairs(raw_query) if pair[0] != SIGNATURE), key=itemgetter(0))
        path = unquote(raw_path, errors="surrogateescape")
        signed = repr((when, method, path, pairs)).encode()
        return hmac.new(self._redirect_key, signed, hashlib.sha256).hexdigest()


def _pairs(raw_query: str) -> list[tuple[str, str]]:
    return parse_qsl(raw_query, keep_blank_values=True, errors="surrogateescape")
