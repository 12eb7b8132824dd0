"""Answers for a Flask server below WSGI, while nothing but the server's own rules is in its application."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aistore.sdk.const import STATUS_BAD_REQUEST, STATUS_OK
from aistore.sdk.etl.webserver.exchange import HEALTH_BODY, Reply
from aistore.sdk.etl.webserver.http_handler import ETLRequestHandler

if TYPE_CHECKING:
    from flask import Flask

TEXT = "text/html; charset=utf-8"


def extent_of(app: Flask) -> tuple[Any, ...]:
    """Say what is in an application that has a part in a request: rules, hooks, classes, configuration."""
    return (
        app,
        len(list(app.url_map.iter_rules())),
        app.request_class,
        app.response_class,
        vars(app).get("wsgi_app"),
        dict(app.config),
        *(
            sum(map(len, hooks.values()))
            for hooks in (
                app.before_request_funcs,
                app.after_request_funcs,
                app.teardown_request_funcs,
                app.url_value_preprocessors,
                app.error_handler_spec,
            )
        ),
        len(app.teardown_appcontext_funcs),
    )


class FlaskRequestHandler(ETLRequestHandler):
    """Words errors as the Flask application does."""

    def _health(self) -> Reply:
        return Reply(STATUS_OK, HEALTH_BODY, TEXT)

    def _error_reply(self, reply: Reply) -> tuple[Reply, None]:
        if reply.status == STATUS_BAD_REQUEST:
            body, content_type = reply.error.encode("utf-8", "replace"), TEXT
        else:
            text = json.dumps({"error": reply.error}, separators=(",", ":"))
            body, content_type = f"{text}\n".encode(), "application/json"
        return Reply(reply.status, body, content_type, reply.headers), None
