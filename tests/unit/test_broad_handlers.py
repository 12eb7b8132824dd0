"""Handlers that catch every exception: each is listed with its reason.

A signal handler's exception (a task's time limit) is raised wherever the main thread waits, and must arrive
as it is. Around a wait, only what the operation can raise is caught.
"""

import ast
from collections import Counter
from pathlib import Path

import aistore

PACKAGE = Path(aistore.__file__).parent

USER_CODE = "runs the user's own code, which may raise anything"
OTHER_THREAD = "runs in a thread of ours, where no signal handler does; raised where the result is used"
SERVER_THREAD = (
    "runs in a server's thread, where no signal handler does; one request fails, the server goes on"
)
MCP_TOOL = "a tool of the MCP server: its result says what failed, as in the 2.0.0 package"
SERVER_TASK = "a server's last handler: one piece of work fails, the server goes on"

# By file and function; a reason for each handler.
REASONS = {
    "cli/app.py:run": ["the command line's last handler: errors become words and an exit code"],
    "cli/commands/etl_run.py:run": [USER_CODE],
    "cli/completion.py:complete_uri": ["a shell's prompt is no place for errors"],
    "cli/etl_class.py:_load_file": [USER_CODE],
    "cli/etl_class.py:_load_module": [USER_CODE],
    "local/api/app.py:_answer": [SERVER_TASK],
    "local/etl/abreast.py:_attempt": [OTHER_THREAD],
    "local/etl/abreast.py:_next": [OTHER_THREAD],
    "local/etl/websocket.py:_drop": ["a connection is closed, whatever is wrong with it"],
    "local/fsck.py:main": ["the last handler of a command: exit code and log; nothing was changed"],
    "local/jobs/__init__.py:_run": [SERVER_TASK],
    "local/jobs/__init__.py:end": [SERVER_TASK],
    "local/jobs/__init__.py:loop": [OTHER_THREAD],
    "local/store/janitor.py:_run": [SERVER_TASK, SERVER_TASK, SERVER_TASK],
    "mcp/tools/cluster.py:ais_is_ready": [MCP_TOOL],
    "mcp/tools/jobs.py:ais_etl_details": [MCP_TOOL],
    "mcp/tools/jobs.py:ais_etl_logs": [MCP_TOOL],
    "pytorch/prefetch.py:_run": [OTHER_THREAD],
    "sdk/etl/class_check.py:main": [USER_CODE],
    "sdk/etl/class_payload.py:_dumps": [USER_CODE],
    "sdk/etl/class_payload.py:_module_of": [USER_CODE],
    "sdk/etl/webserver/asgi.py:_pass_on": [OTHER_THREAD],
    "sdk/etl/webserver/blocking_stream.py:_guarded": [USER_CODE],
    "sdk/etl/webserver/blocking_stream.py:start_stream": [USER_CODE],
    "sdk/etl/webserver/crew.py:_try": [SERVER_THREAD],
    "sdk/etl/webserver/flask_server.py:_drain": ["each WSGI server has its own errors; the response is sent"],
    "sdk/etl/webserver/flow.py:_deliver": [SERVER_THREAD],
    "sdk/etl/webserver/flow.py:_load": [SERVER_THREAD, SERVER_THREAD],
    "sdk/etl/webserver/flow.py:_open": [SERVER_THREAD],
    "sdk/etl/webserver/flow.py:_transformed": [USER_CODE],
    "sdk/etl/webserver/flow.py:_transform": [SERVER_THREAD],
    "sdk/etl/webserver/handoff.py:_do": [OTHER_THREAD],
    "sdk/etl/webserver/http_handler.py:_send_stream": [SERVER_THREAD],
    "sdk/etl/webserver/runtime.py:_construct": [USER_CODE],
    "sdk/etl/webserver/runtime.py:load_class": [USER_CODE],
    "sdk/etl/webserver/threaded_http.py:leave": [SERVER_THREAD],
    "sdk/etl/webserver/threaded_http.py:visit": [SERVER_THREAD],
    "sdk/parallel.py:_run": [OTHER_THREAD],
}


def is_broad(node):
    """Whether an `except` clause or a call of `suppress` catches every exception."""
    if isinstance(node, ast.ExceptHandler):
        caught = [node.type] if not isinstance(node.type, ast.Tuple) else node.type.elts
    elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"suppress", "contextlib.suppress"}:
        caught = node.args
    else:
        return False
    return any(kind is None or ast.unparse(kind) in {"Exception", "BaseException"} for kind in caught)


def raises_again(node):
    """Whether a clause ends with a bare `raise`, whatever it does before: it only clears up."""
    if not isinstance(node, ast.ExceptHandler):
        return False
    last = node.body[-1]
    leaves = (ast.Return, ast.Continue, ast.Break)
    return (
        isinstance(last, ast.Raise)
        and last.exc is None
        and not any(isinstance(inner, leaves) for inner in ast.walk(node))
    )


def broad_handlers(path):
    """Names of the functions that have such handlers, once for each."""
    found = []

    def walk(node, name):
        for child in ast.iter_child_nodes(node):
            inner = child.name if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) else name
            if is_broad(child) and not raises_again(child):
                found.append(f"{path.relative_to(PACKAGE).as_posix()}:{name}")
            walk(child, inner)

    walk(ast.parse(path.read_text()), "")
    return found


def test_every_broad_handler_has_a_reason():
    found = Counter(name for path in PACKAGE.rglob("*.py") for name in broad_handlers(path))
    assert found == {name: len(reasons) for name, reasons in REASONS.items()}


def test_what_counts_as_a_broad_handler(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    file = tmp_path / "m.py"
    file.write_text(
        "def f():\n"
        "    try: pass\n"
        "    except (KeyError, Exception): return\n"
        "    try: pass\n"
        "    except: x()\n"
        "    try: pass\n"
        "    except BaseException:\n"
        "        if x: return\n"
        "        raise\n"
        "    try: pass\n"
        "    except BaseException:\n"
        "        close()\n"
        "        raise\n"
        "    try: pass\n"
        "    except ValueError: pass\n"
        "    with contextlib.suppress(Exception): pass\n"
    )
    assert broad_handlers(file) == ["m.py:f"] * 4
