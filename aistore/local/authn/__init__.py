"""AuthN of the local cluster: users, roles and tokens, and what a request's bearer may do (protocol/08).

Loaded only when the server is started with `--auth`. `Authn` is the whole of it, as `state.authn`; `gate`
stands before every route of the cluster, `service` answers on the AuthN port.
"""

from __future__ import annotations

from aistore.local.authn.authority import Authn

__all__ = ["Authn"]
