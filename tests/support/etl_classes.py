"""ETL classes that the runtime is given: this module is not installed, so they travel by value."""

import time

from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer
from aistore.sdk.etl.webserver.flask_server import FlaskServer
from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer

SLOW_SECONDS = 1.5
PAUSE_SECONDS = 0.2


WRONG = {"none": None, "number": 3, "zero": 0, "false": False, "list": [], "surrogate": "\ud800"}
"""Results that are not bytes, by the arguments that ask for them."""


def upper(data, path, etl_args):
    """What every class here does to an object, so that tests can compute it too."""
    if etl_args == "fail":
        raise ValueError("asked to fail")
    if etl_args == "empty":
        return b""
    if etl_args in WRONG:
        return WRONG[etl_args]
    if etl_args == "path":
        return path.encode()
    if etl_args == "slow":
        time.sleep(SLOW_SECONDS)
    if etl_args == "pause":
        time.sleep(PAUSE_SECONDS)
    if isinstance(data, str):
        return b"path:" + data.encode()
    return data.upper()


class _Upper:
    def transform(self, data, path, etl_args):
        return upper(data, path, etl_args)

    def get_mime_type(self):
        return "text/x-upper"


class _StreamUpper:
    def transform_stream(self, reader, path, etl_args):
        if etl_args == "late-fail":
            yield b"A" * 100_000
            raise ValueError("asked to fail midway")
        if etl_args.removeprefix("late-") in WRONG:
            if etl_args.startswith("late-"):
                yield b"A" * 100_000
            yield WRONG[etl_args.removeprefix("late-")]
            return
        if etl_args in ("fail", "empty", "path"):
            result = upper(b"", path, etl_args)
            if result:
                yield result
            return
        if etl_args == "pause":
            time.sleep(PAUSE_SECONDS)
        while chunk := reader.read(65536):
            yield chunk.upper()


class UpperFastAPI(_Upper, FastAPIServer):
    pass


class UpperFlask(_Upper, FlaskServer):
    pass


class UpperThreaded(_Upper, HTTPMultiThreadedServer):
    pass


class StreamFastAPI(_StreamUpper, FastAPIServer):
    pass


class StreamFlask(_StreamUpper, FlaskServer):
    pass


class StreamThreaded(_StreamUpper, HTTPMultiThreadedServer):
    pass


class FailsToStart(HTTPMultiThreadedServer):
    def __init__(self):
        super().__init__()
        raise RuntimeError("no model file")

    def transform(self, data, path, etl_args):
        return data


class FailsToStartFlask(FlaskServer):
    def __init__(self):
        super().__init__()
        raise RuntimeError("no model file")

    def transform(self, data, path, etl_args):
        return data


class FailsToStartFastAPI(FastAPIServer):
    def __init__(self):
        super().__init__()
        raise RuntimeError("no model file")

    def transform(self, data, path, etl_args):
        return data


class FailsInStartup(UpperFastAPI):
    async def startup_event(self):
        raise RuntimeError("no GPU here")


CLASSES = {
    ("fastapi", False): UpperFastAPI,
    ("fastapi", True): StreamFastAPI,
    ("flask", False): UpperFlask,
    ("flask", True): StreamFlask,
    ("threaded", False): UpperThreaded,
    ("threaded", True): StreamThreaded,
}


class Hangs(HTTPMultiThreadedServer):
    """Never returns a result."""

    def transform(self, data, path, etl_args):
        time.sleep(3600)
        return data
