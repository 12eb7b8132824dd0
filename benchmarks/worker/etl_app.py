"""An ETL server that returns what it gets: `python etl_app.py KIND PORT`."""

import logging
import os
import socketserver
import sys
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit


def sdk_server(module, name, port, streams):
    import importlib

    base = getattr(importlib.import_module(f"aistore.sdk.etl.webserver.{module}"), name)
    if streams:

        def transform_stream(self, reader, path, etl_args):
            while piece := reader.read(65536):
                yield piece

        body = {"transform_stream": transform_stream}
    else:
        body = {"transform": lambda self, data, path, etl_args: data}
    server = type("Echo", (base,), body)("127.0.0.1", port)
    server.start()


def read_named(query, data):
    """Return the bytes of the file that the query names, or else the body."""
    fqn = parse_qs(query).get("etl_fqn")
    if not fqn:
        return data
    with open(unquote(fqn[0]), "rb") as file:
        return file.read()


def bare_uvicorn(port):
    import uvicorn

    async def app(scope, receive, send):
        if scope["type"] != "http":
            return
        pieces = []
        more = True
        while more:
            event = await receive()
            pieces.append(event.get("body", b""))
            more = event.get("more_body", False)
        data = b"".join(pieces)
        data = read_named(scope["query_string"].decode(), data)
        head = [(b"content-length", b"%d" % len(data))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": data})

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


def bare_threads(port):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_PUT(self):
            data = self.rfile.read(int(self.headers["Content-Length"] or 0))
            data = read_named(urlsplit(self.path).query, data)
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            self.wfile.flush()

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            self.wfile.flush()

        def log_message(self, *args):
            pass

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True
        request_queue_size = 128

    Server(("127.0.0.1", port), Handler).serve_forever()


def main():
    kind, port = sys.argv[1], int(sys.argv[2])
    logging.disable(logging.INFO)
    kind, _, streams = kind.partition("+")
    os.environ.setdefault("AIS_TARGET_URL", "http://127.0.0.1:9")
    match kind:
        case "fastapi":
            sdk_server("fastapi_server", "FastAPIServer", port, streams)
        case "threaded":
            sdk_server("http_multi_threaded_server", "HTTPMultiThreadedServer", port, streams)
        case "flask":
            sdk_server("flask_server", "FlaskServer", port, streams)
        case "uvicorn":
            bare_uvicorn(port)
        case "threads":
            bare_threads(port)


if __name__ == "__main__":
    main()
