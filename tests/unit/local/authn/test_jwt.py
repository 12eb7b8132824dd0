"""Tokens: one algorithm, one encoding, and never without an end."""

import base64
import hashlib
import hmac
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aistore.local.authn import jwt
from aistore.local.authn.jwt import InvalidToken

SECRET = b"s" * 32
NOW = 1_800_000_000.0
CLAIMS = {"sub": "bob", "exp": int(NOW) + 60, "iat": int(NOW), "admin": False}


def b64(data):
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forge(header, claims, secret=SECRET, digest=hashlib.sha256):
    signed = f"{b64(header)}.{b64(claims)}"
    return f"{signed}.{b64(hmac.new(secret, signed.encode(), digest).digest())}"


def test_round_trip():
    assert jwt.decode(jwt.encode(CLAIMS, SECRET), SECRET, NOW) == CLAIMS


def test_the_form_is_that_of_the_standard():
    # The example of RFC 7515, appendix A.1: header and claims with line breaks in them.
    token = (
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
        ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    )
    key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
    secret = base64.urlsafe_b64decode(key + "==")
    with pytest.raises(InvalidToken, match="token expired"):
        jwt.decode(token, secret, NOW)
    with pytest.raises(InvalidToken, match="sub claim is required"):
        jwt.decode(token, secret, 1300819379)


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "HS384", "HS512", "RS256", "", None, 256])
def test_another_algorithm_is_refused(alg):
    for token in (forge({"alg": alg, "typ": "JWT"}, CLAIMS), f"{b64({'alg': alg})}.{b64(CLAIMS)}."):
        with pytest.raises(InvalidToken, match="signing method is not HS256"):
            jwt.decode(token, SECRET, NOW)


def test_another_secret_is_refused():
    for secret in (b"", b"x" * 32, SECRET[:-1]):
        with pytest.raises(InvalidToken, match="signature is invalid"):
            jwt.decode(forge({"alg": "HS256"}, CLAIMS, secret), SECRET, NOW)


def test_changed_claims_are_refused():
    head, _, signature = jwt.encode(CLAIMS, SECRET).split(".")
    with pytest.raises(InvalidToken, match="signature is invalid"):
        jwt.decode(f"{head}.{b64({**CLAIMS, 'admin': True})}.{signature}", SECRET, NOW)


def test_an_end_is_required_and_kept():
    without = {key: value for key, value in CLAIMS.items() if key != "exp"}
    for claims in (
        without,
        {**CLAIMS, "exp": None},
        {**CLAIMS, "exp": "9999999999"},
        {**CLAIMS, "exp": True},
    ):
        with pytest.raises(InvalidToken, match="exp claim is required"):
            jwt.decode(jwt.encode(claims, SECRET), SECRET, NOW)
    for moment in (NOW + 60, NOW + 61):
        with pytest.raises(InvalidToken, match="expired"):
            jwt.decode(jwt.encode(CLAIMS, SECRET), SECRET, moment)


def test_base64_has_one_form():
    token = jwt.encode(CLAIMS, SECRET)
    for other in (token + "=", token + "\n", token.replace(".", " .", 1), token[:-1] + "!"):
        with pytest.raises(InvalidToken):
            jwt.decode(other, SECRET, NOW)
    # The last letter of 43 carries four bits: other letters decode to the same bytes.
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for letter in set(letters) - {token[-1]}:
        with pytest.raises(InvalidToken):
            jwt.decode(token[:-1] + letter, SECRET, NOW)


@given(st.text(max_size=200) | st.text("abc.=-_", max_size=60))
def test_any_text_is_a_token_or_refused(text):
    with pytest.raises(InvalidToken) as caught:
        jwt.decode(text, SECRET, time.time())
    assert len(text) < 8 or text not in str(caught.value)


def test_overlong_tokens_are_refused_unread():
    with pytest.raises(InvalidToken):
        jwt.decode("a" * (jwt.MAX_TOKEN + 1) + ".b.c", SECRET, NOW)
