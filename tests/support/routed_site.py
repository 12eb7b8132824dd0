"""A proxy and two targets, scripted, for tests of direct routing."""

import json
from contextlib import suppress

from scripted import Answer, ScriptedServer

from aistore.sdk.hrw import get_digest, owner_index


class Site:
    """A proxy that redirects as a cluster does, and targets that keep what is put."""

    def __init__(self):
        self.objects = {}
        self.more = ""  # parameters that redirects have besides
        self.status = None  # what the targets answer to requests that did not just come from the proxy
        self.hook = None  # replaces the targets' answers: (request, answer) -> answer
        self.swapped = False  # the proxy has another map than the one it gives
        self.redirected = set()
        self.targets = [ScriptedServer(self._at_target) for _ in range(2)]
        self.urls = [target.endpoint for target in self.targets]
        self.proxy = ScriptedServer(self._at_proxy)
        self.ids = ["first", "second"]
        self.listed = [0, 1]

    def owner(self, name):
        return self.listed[owner_index(f"ais/@#/b/{name}", [get_digest(self.ids[i]) for i in self.listed])]

    def _at_proxy(self, request):
        if request.path == "/v1/daemon":
            nodes = {self.ids[i]: self._node(i) for i in self.listed}
            return Answer(json.dumps({"tmap": nodes, "pmap": {}, "proxy_si": self._node(0)}).encode())
        name = request.path.removeprefix("/v1/objects/b/")
        place = self.urls[self.owner(name) ^ self.swapped]
        location = f"{place}{request.target}&pid=proxy&utm=dn0oq41acehi{self.more}"
        self.redirected.add(location.removeprefix(place))
        return Answer(status=301 if request.method == "GET" else 307, headers={"Location": location})

    def _node(self, index):
        node_id = self.ids[index]
        return {
            "daemon_id": node_id,
            "daemon_type": "target",
            "id_digest": get_digest(node_id),
            "public_net": {"direct_url": self.urls[index]},
        }

    def _at_target(self, request):
        straight = request.target not in self.redirected
        self.redirected.discard(request.target)
        if straight and self.status:
            return Answer(b'{"message":"no","status":%d}' % self.status, status=self.status)
        name = request.path.removeprefix("/v1/objects/b/")
        if request.method == "PUT":
            self.objects[name] = request.body
            return Answer()
        if name not in self.objects:
            return Answer(b'{"message":"t[x]: ais://b/n does not exist","status":404}', status=404)
        answer = Answer(self.objects[name])
        return self.hook(request, answer) if self.hook else answer

    def asked(self):
        """Return who was asked since the last time: "map", "proxy" or "target"."""
        asked = ["map" if r.path == "/v1/daemon" else "proxy" for r in self.proxy.requests]
        asked += ["target" for target in self.targets for _ in target.requests]
        for server in (self.proxy, *self.targets):
            server.requests.clear()
        return asked

    def name_of(self, index):
        return next(name for name in map(str, range(100)) if self.owner(name) == index)

    def close(self):
        for server in (self.proxy, *self.targets):
            with suppress(OSError):  # a target that a test has closed already
                server.close()
