"""A module of the user's own: not installed, so what an ETL class uses of it is sent by value."""

import threading

from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer

LOCK = threading.Lock()
TABLE = b"x" * 200_000


def shout(data):
    return data.upper() + b"!"


class Shouts(HTTPMultiThreadedServer):
    def transform(self, data, path, etl_args):
        return shout(data)


class UsesLock(HTTPMultiThreadedServer):
    def transform(self, data, path, etl_args):
        with LOCK:
            return data


class HasLock(HTTPMultiThreadedServer):
    lock = threading.Lock()

    def transform(self, data, path, etl_args):
        return data


class UsesTable(HTTPMultiThreadedServer):
    def transform(self, data, path, etl_args):
        return TABLE + data


class UsesNothingKnown(HTTPMultiThreadedServer):
    def transform(self, data, path, etl_args):
        return [helper_of_nobody(piece) for piece in data]  # noqa: F821 - that is the point
