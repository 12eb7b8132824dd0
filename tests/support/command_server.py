"""An ETL server of the standard library alone, run as a command: PREFIX + upper-cased bytes + arguments."""

import http.server
import os
import sys
import time
from urllib.parse import parse_qs, unquote, urlsplit
from urllib.request import urlopen


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/health":
            self.answer(200, b"Running")
            return
        if self.path == "/environment":
            self.answer(
                200, "\n".join(f"{key}={value}" for key, value in sorted(os.environ.items())).encode()
            )
            return
        with urlopen(os.environ["AIS_TARGET_URL"] + urlsplit(self.path).path) as response:
            self.transform(response.read())

    def do_PUT(self):
        query = parse_qs(urlsplit(self.path).query)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "etl_fqn" in query:
            with open(unquote(query["etl_fqn"][0]), "rb") as file:
                body = file.read()
        self.transform(body)

    def transform(self, data):
        args = parse_qs(urlsplit(self.path).query).get("etl_args", [""])[0]
        print("transform", self.path, flush=True)
        if args == "slow":
            time.sleep(30)
        if args == "die":
            os._exit(7)
        if args == "short":
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(b"x" * 1000)
            self.close_connection = True
            return
        if args.isdigit() and self.server.failures.setdefault(self.path, int(args)) > 0:
            self.server.failures[self.path] -= 1
            self.send_response(503)
            self.send_header("Ais-Etl-Retry-Reason", "direct-put-transient")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if b"bad" in data or args == "fail":
            self.answer(500, b"do not like it")
            return
        self.answer(200, os.environ.get("PREFIX", "").encode() + data.upper() + args.encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    def __init__(self, *args):
        super().__init__(*args)
        self.failures = {}


if __name__ == "__main__":
    host, _, port = sys.argv[1].rpartition(":")
    print("serving on", sys.argv[1], flush=True)
    Server((host, int(port)), Handler).serve_forever()
