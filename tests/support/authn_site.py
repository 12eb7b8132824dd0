"""A local cluster with AuthN, spoken to with raw requests by whoever is needed."""

from __future__ import annotations

import json
from typing import Any

from wire import Answer, Wire

from aistore.local import LocalCluster

BUILT_IN = "Admin"


class Site:
    """A cluster, its AuthN service, and tokens."""

    def __init__(self, cluster: LocalCluster) -> None:
        self.wire = Wire(cluster.endpoint)
        self.authn = Wire(cluster.auth_endpoint)
        self.admin = cluster.admin
        self.admin_token = self.login(*self.admin)
        smap = json.loads(self.ask("GET", "/v1/daemon?what=smap").body)
        self.uuid: str = smap["uuid"]
        self.targets = [node["public_net"]["direct_url"] for node in smap["tmap"].values()]
        self._users = 0

    def login(self, name: str, password: str, expires_in: int | None = None) -> str:
        """Give a new token."""
        message = {"password": password, "expires_in": expires_in}
        answer = self.authn("POST", f"/v1/users/{name}", message)
        assert answer.status == 200, answer
        return json.loads(answer.body)["token"]

    def ask(
        self, method: str, target: str, body: Any = None, token: str | None = None, **more: Any
    ) -> Answer:
        """Ask the cluster, as the admin unless another token is given."""
        headers = {"Authorization": f"Bearer {token or self.admin_token}"}
        return self.wire(method, target, body, {**headers, **more.pop("headers", {})}, **more)

    def manage(self, method: str, target: str, body: Any = None, token: str | None = None) -> Answer:
        """Ask the AuthN service, as the admin unless another token is given."""
        headers = {"Authorization": f"Bearer {token or self.admin_token}"}
        return self.authn(method, target, body, headers)

    def ok(self, method: str, target: str, body: Any = None) -> Answer:
        """Ask the cluster, as the admin, for what must succeed."""
        answer = self.ask(method, target, body)
        assert answer.status in {200, 202}, answer
        return answer

    def user(self, cluster: int = 0, **buckets: int) -> str:
        """Give the token of a new user with these permissions."""
        self._users += 1
        name = f"u{self._users}"
        entries = [
            {
                "bck": {"name": bucket, "provider": "ais", "namespace": {"uuid": self.uuid, "name": ""}},
                "perm": str(bits),
            }
            for bucket, bits in buckets.items()
        ]
        clusters = [{"id": self.uuid, "perm": str(cluster)}]
        role = {"name": name, "desc": "", "clusters": clusters, "buckets": entries}
        assert self.manage("POST", "/v1/roles", role).status == 200
        user = {"id": name, "pass": "pw", "roles": [{"name": name}]}
        assert self.manage("POST", "/v1/users", user).status == 200
        return self.login(name, "pw")

    def reset(self) -> None:
        """Remove all users, roles, clusters and buckets."""
        for cluster in json.loads(self.manage("GET", "/v1/clusters").body).get("clusters", {}):
            self.manage("DELETE", f"/v1/clusters/{cluster}")
        for user in json.loads(self.manage("GET", "/v1/users").body):
            if user != self.admin[0]:
                self.manage("DELETE", f"/v1/users/{user}")
        for role in json.loads(self.manage("GET", "/v1/roles").body):
            if role["name"] != BUILT_IN:
                self.manage("DELETE", f"/v1/roles/{role['name']}")
        for bucket in json.loads(self.ask("GET", "/v1/buckets").body):
            self.ask("DELETE", f"/v1/buckets/{bucket['name']}", {"action": "destroy-bck"})
