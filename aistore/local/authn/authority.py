"""The whole of AuthN as the rest of the server sees it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from aistore.local.authn.accounts import Accounts
from aistore.local.authn.jwt import InvalidToken
from aistore.local.authn.tokens import Tokens
from aistore.local.data_folder import write_private

if TYPE_CHECKING:
    from pathlib import Path

    from aistore.local.admin import Admin
    from aistore.local.authn.identity import Identity
    from aistore.local.catalog import Catalog

_SIGNATURE = "&sig="
"""Before the last parameter of a redirect's query: the proxy has checked this request."""

_SIGNED_FOR = 60.0

PASSWORD_FILE = "authn-password"  # noqa: S105 - the name of a file
"""In the data folder: the built-in user's password, if it was made up and has not been changed since."""


class Authn:
    """Accounts and tokens of one folder.

    Args:
        catalog (Catalog): Where they are kept.
        root (Path): The data folder.
        admin (Admin): The built-in user.

    Attributes:
        accounts: Users, roles and clusters.
        tokens: Issues and checks tokens.
        new_password: The file with the password that was made up; None if none was at this start.
        url: Of the AuthN service, once it is known.
    """

    def __init__(self, catalog: Catalog, root: Path, admin: Admin) -> None:
        self._password_file = root / PASSWORD_FILE
        self.accounts = Accounts(catalog, admin.name, admin.password, self._forget_password)
        self.new_password: Path | None = None
        if self.accounts.users.find(admin.name) is None:
            self._make_password()
        self.tokens = Tokens(catalog, root)
        self.url = ""
        # Redirects are followed at once: the key need not outlive the process.
        self._redirect_key = secrets.token_bytes(32)

    def _make_password(self) -> None:
        """Make a password up, in a file that only its owner can read before the user has it.

        Printed once, it would be lost with the output.
        """
        password = secrets.token_urlsafe(18)
        write_private(self._password_file, f"{password}\n".encode())
        self.accounts.set_admin(password)
        self.new_password = self._password_file

    def _forget_password(self) -> None:
        """Remove the file of a password that the built-in user has no more."""
        self._password_file.unlink(missing_ok=True)

    def identify(self, token: str) -> Identity:
        """The bearer of a token, who must still be there and have the password of then.

        Raises:
            InvalidToken: Says why it isn't taken, without repeating it.
        """
        identity = self.tokens.check(token)
        user = self.accounts.users.find(identity.user)
        if user is None or user.serial != identity.serial:
            raise InvalidToken("the token's user was removed, or has another password since")
        return identity

    def sign(self, method: str, raw_path: str, raw_query: str, action: str) -> str:
        """Return the query of a redirect, which lets the target take the request without a token.

        Not every client sends its token to another port (`requests` doesn't). The signature covers the
        method, the path, every byte of the query and the action in the body, and is good for a minute.

        Args:
            method (str): The request's method.
            raw_path (str): The path of the redirect.
            raw_query (str): Its query so far.
            action (str): The action in the request's body, or "".
        """
        now, name = str(int(time.time())), quote(action, safe="").replace(".", "%2E")
        return f"{raw_query}{_SIGNATURE}{now}.{name}.{self._digest(now, method, raw_path, raw_query, name)}"

    def signed_action(self, method: str, raw_path: str, raw_query: str) -> str | None:
        """Return the action of a request that the proxy sent to a target less than a minute ago.

        It is a part of the signature, so that no body is read of a request that is not signed.

        Args:
            method (str): The request's method.
            raw_path (str): Its path.
            raw_query (str): Its query.

        Returns:
            The only action that its body may have; None if it is not signed.
        """
        signed_query, _, given = raw_query.rpartition(_SIGNATURE)
        when, _, rest = given.partition(".")
        name, _, signature = rest.partition(".")
        if not (when.isascii() and when.isdigit() and len(when) < 12):
            return None
        wanted = self._digest(when, method, raw_path, signed_query, name)
        if not hmac.compare_digest(signature.encode("utf-8", "surrogateescape"), wanted.encode()):
            return None
        return unquote(name) if abs(time.time() - int(when)) <= _SIGNED_FOR else None

    def _digest(self, when: str, method: str, raw_path: str, raw_query: str, action: str) -> str:
        # The decoded path is signed, as routes read it: clients differ in what they escape. They repeat
        # a query as it is.
        path = unquote(raw_path, errors="surrogateescape")
        signed = repr((when, method, path, raw_query, action)).encode()
        return hmac.new(self._redirect_key, signed, hashlib.sha256).hexdigest()
