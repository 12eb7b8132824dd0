"""A stand-in for `RequestClient` that keeps what it was asked and answers from a list."""

import requests
from requests.structures import CaseInsensitiveDict


def answer(text: str = "", status: int = 200, headers: dict | None = None) -> requests.Response:
    """Make an answer."""
    response = requests.Response()
    response.status_code = status
    response._content = text.encode()
    response.headers = CaseInsensitiveDict(headers or {})
    return response


class RecordingClient:
    """Answers `request` from `answers` (the last again and again), `request_deserialize` from `models`."""

    base_url = "http://recording/v1"

    def __init__(self, answers=(), models=()):
        self.answers = list(answers) or [answer("job-id")]
        self.models = list(models)
        self.calls = []

    def request(self, method, **kwargs):
        self.calls.append((method, kwargs))
        return self._next(self.answers)

    def request_deserialize(self, method, **kwargs):
        self.calls.append((method, kwargs))
        return self._next(self.models)

    @staticmethod
    def _next(left):
        found = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(found, Exception):
            raise found
        return found

    def get_full_url(self, path, params):
        return f"{self.base_url}/{path}?" + "&".join(f"{key}={value}" for key, value in params.items())
