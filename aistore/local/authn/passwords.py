"""Passwords as they are kept: salted, and hashed with scrypt (RFC 7914)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

_LOG2_N, _R, _P = 14, 8, 1  # 16 MiB and some 50 ms for each guess
_MEMORY = 64 << 20
_SALT, _LENGTH = 16, 32


def hash_password(password: str) -> str:
    """What is kept of a password: `scrypt$LOG2N$R$P$SALT$HASH`."""
    salt = secrets.token_bytes(_SALT)
    parts = (salt, _derive(password, salt, _LOG2_N, _R, _P))
    encoded = (base64.b64encode(part).decode() for part in parts)
    return "$".join(["scrypt", str(_LOG2_N), str(_R), str(_P), *encoded])


def is_password(password: str, kept: str) -> bool:
    """Whether this is the password; takes the same time whatever differs."""
    _, log2_n, r, p, salt, wanted = kept.split("$")
    got = _derive(password, base64.b64decode(salt), int(log2_n), int(r), int(p))
    return hmac.compare_digest(got, base64.b64decode(wanted))


def _derive(password: str, salt: bytes, log2_n: int, r: int, p: int) -> bytes:
    text = password.encode("utf-8", "surrogateescape")
    return hashlib.scrypt(text, salt=salt, n=1 << log2_n, r=r, p=p, maxmem=_MEMORY, dklen=_LENGTH)
