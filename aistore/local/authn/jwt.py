"""Signed tokens (JWT, RFC 7519) with one algorithm, HS256.

The algorithm is fixed, not read from the token: a token that names another is refused before anything is
computed. Base64 is taken in its one canonical form only, and `exp` must be there.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any

import msgspec

ALGORITHM = "HS256"
MAX_TOKEN = 48 << 10

_HEADER = {"alg": ALGORITHM, "typ": "JWT"}


class InvalidToken(ValueError):  # noqa: N818 - named for what it is
    """A token that is not taken; the message never contains it."""


def encode(claims: dict[str, Any], secret: bytes) -> str:
    """Make a token."""
    signed = f"{_b64(msgspec.json.encode(_HEADER))}.{_b64(msgspec.json.encode(claims))}"
    return f"{signed}.{_b64(_sign(signed, secret))}"


def decode(token: str, secret: bytes, now: float) -> dict[str, Any]:
    """The claims of a token.

    Args:
        token (str): The token.
        secret (bytes): What it must be signed with.
        now (float): Unix time, in seconds.

    Raises:
        InvalidToken: It is malformed, of another algorithm, signed with another secret, or expired.
    """
    parts = token.split(".")
    if len(parts) != 3 or len(token) > MAX_TOKEN:
        raise InvalidToken("token is malformed: token contains an invalid number of segments")
    header = _json(parts[0], "header")
    if header.get("alg") != ALGORITHM:
        raise InvalidToken(f"token signature is invalid: signing method is not {ALGORITHM}")
    signature = _unb64(parts[2], "signature")
    if not hmac.compare_digest(signature, _sign(f"{parts[0]}.{parts[1]}", secret)):
        raise InvalidToken("token signature is invalid: signature is invalid")
    claims = _json(parts[1], "claims")
    expires = claims.get("exp")
    if isinstance(expires, bool) or not isinstance(expires, (int, float)):
        raise InvalidToken("token has invalid claims: exp claim is required")
    if expires <= now:
        raise InvalidToken("token expired")
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise InvalidToken("token has invalid claims: sub claim is required")
    return claims


def _sign(text: str, secret: bytes) -> bytes:
    return hmac.new(secret, text.encode("utf-8", "surrogateescape"), hashlib.sha256).digest()


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str, what: str) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as err:
        raise InvalidToken(f"token is malformed: could not base64 decode {what}") from err
    if _b64(data) != text:
        raise InvalidToken(f"token is malformed: could not base64 decode {what}")
    return data


def _json(text: str, what: str) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(_unb64(text, what), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as err:
        raise InvalidToken(f"token is malformed: could not JSON decode {what}") from err
    return value
