"""A single-machine AIStore: the real wire protocol, durable on disk, one command to start.

>>> from aistore.local import LocalCluster
>>> with LocalCluster(targets=2) as cluster:        # doctest: +SKIP
...     client = cluster.client()

or `python -m aistore.local --port 8080 --dir DIR --targets N`.

How the inside hangs together
-----------------------------
`server.run(options, on_ready)` binds a socket for the proxy and one per target, makes the `State` and serves
all sockets with one ASGI application on one event loop:

* `state.State` (reached as `req.state`): `catalog`, `store`, `nodes`, `registry`, `stats`, `options`, `root`;
  `await state.run(call, *args)` runs a blocking call on a thread; `state.on_stop.append(f)` is called at the
  end.
* `nodes.Nodes`: proxy and targets, IDs, the cluster map, `owner(uname)` by the cluster's hash.
* `catalog.Catalog` and `store.Store`: synchronous, callable from any thread (see their docstrings).
* `api.request.Request` -> handler -> `api.response.Response`. A handler is `async def f(req, ...) ->
  Response` and raises `errors.LocalError` for any other answer; the application makes the cluster's error
  body of it.
* `api.registry.Registry`: nouns, actions and `what=` values by name. A new router is a module of `api` with
  `register(state)`, listed in `api/routes.py`.

All targets are in this one process: any code can read any object, whichever target owns it. Ownership decides
only where clients are sent, and which node a message names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.sdk.lazy import lazy_exports

if TYPE_CHECKING:
    from aistore.local.cluster import LocalCluster
    from aistore.local.errors import LocalClusterError

__all__ = ["LocalCluster", "LocalClusterError"]

_MODULES = {"LocalCluster": "cluster", "LocalClusterError": "errors"}

__getattr__ = lazy_exports(__name__, _MODULES)
