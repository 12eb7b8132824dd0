"""AuthN: configuration, errors, what is refused, what is never shown."""

import json

import pytest
from scripted import Answer, scripted
from urllib3 import Retry

from aistore.sdk.authn import AuthNClient
from aistore.sdk.authn.access_attr import AccessAttr
from aistore.sdk.authn.errors import (
    AuthNError,
    AuthNForbidden,
    AuthNUnauthorized,
    ErrClusterAlreadyRegistered,
    ErrClusterNotFound,
    ErrRoleAlreadyExists,
    ErrRoleNotFound,
    ErrUserAlreadyExists,
    ErrUserInvalidCredentials,
    ErrUserNotFound,
)
from aistore.sdk.authn.response_handler import AuthNResponseHandler
from aistore.sdk.authn.types import (
    BucketPermission,
    ClusterInfo,
    ClusterList,
    ClusterPermission,
    LoginMsg,
    RoleInfo,
    RolesList,
    TokenMsg,
    UserInfo,
    UserMap,
)
from aistore.sdk.errors import InvalidArgument
from aistore.sdk.types import BucketModel

ROLE = {"name": "r", "desc": "d", "clusters": [{"id": "c", "perm": "771"}], "buckets": None, "admin": False}


def body(value):
    return Answer(json.dumps(value).encode())


def service(script):
    return scripted(script)


class TestConfiguration:
    def test_environment(self, monkeypatch):  # defect 37
        monkeypatch.setenv("AIS_AUTHN_TOKEN", "from-environment")
        monkeypatch.setenv("AIS_CONNECT_TIMEOUT", "7")
        authn = AuthNClient("http://localhost:52001")
        assert authn.client.token == "from-environment"
        assert authn.client.timeout == (7, 20)
        assert "from-environment" not in repr(authn) + repr(authn.client)
        assert repr(authn) == "AuthNClient('http://localhost:52001')"

    def test_arguments_win(self, monkeypatch):
        monkeypatch.setenv("AIS_AUTHN_TOKEN", "from-environment")
        retry = Retry(total=1)
        authn = AuthNClient("http://localhost:52001", timeout=5, token="mine", retry=retry)
        assert (authn.client.token, authn.client.timeout) == ("mine", 5)
        assert authn.client.session_manager.retry is retry

    def test_has_time_limits_by_default(self):  # defect 37
        assert AuthNClient("http://localhost:52001").client.timeout == (3, 20)

    def test_client_certificates(self, tmp_path):  # defect 37
        cert = str(tmp_path / "client.pem")
        authn = AuthNClient("http://localhost:52001", client_cert=cert)
        assert authn.client.session_manager.client_cert == cert


class TestLogin:
    def test_token_is_used_from_then_on(self):
        with service(lambda request: body({"token": "secret"})) as (server, client):
            with AuthNClient(client.base_url) as authn:
                assert authn.login("admin user", "pw", expires_in=1.5) == "secret"
                authn.logout()
                assert authn.client.token is None
        login, logout = server.requests
        assert (login.method, login.path) == ("POST", "/v1/users/admin%20user")
        assert json.loads(login.body) == {"password": "pw", "expires_in": 1_500_000_000}
        assert logout.headers["authorization"] == "Bearer secret"
        assert json.loads(logout.body) == {"token": "secret"}

    def test_refused_before_any_request(self):
        authn = AuthNClient("http://localhost:1")
        for call in (
            lambda: authn.login("u", " "),
            lambda: authn.login("", "pw"),
            lambda: authn.login("..", "pw"),
            lambda: authn.login("u", "pw", expires_in=-1),
            authn.logout,
            lambda: authn.token_manager().revoke(""),
        ):
            with pytest.raises(InvalidArgument):
                call()


@pytest.mark.parametrize(
    ("status", "text", "error"),
    [
        (401, "err: invalid credentials", ErrUserInvalidCredentials),
        (401, "token required", AuthNUnauthorized),
        (403, "no", AuthNForbidden),
        (404, 'user "u" does not exist', ErrUserNotFound),
        (404, 'role "r" does not exist', ErrRoleNotFound),
        (404, 'cluster "c" does not exist', ErrClusterNotFound),
        (409, "user u exists", ErrUserAlreadyExists),
        (409, "role r exists", ErrRoleAlreadyExists),
        (409, "cluster c[c] already registered", ErrClusterAlreadyRegistered),
        (400, "user", AuthNError),
    ],
)
def test_errors(status, text, error):
    with service(lambda request: Answer(text.encode(), status=status)) as (_, client):
        with AuthNClient(client.base_url) as authn, pytest.raises(error) as caught:
            authn.user_manager().list()
    assert (type(caught.value), caught.value.status_code) == (error, status)
    assert not isinstance(caught.value, ErrUserInvalidCredentials) or isinstance(
        caught.value, PermissionError
    )


USER = {"id": "u", "roles": [ROLE]}


class TestUsers:
    def play(self, call):
        def script(request):
            return body(ROLE if "/roles/" in request.path else USER)

        with service(script) as (server, client), AuthNClient(client.base_url) as authn:
            result = call(authn.user_manager())
        return result, [(r.method, r.path, json.loads(r.body) if r.body else None) for r in server.requests]

    def test_new_password_keeps_the_roles(self):  # defect 14
        _, sent = self.play(lambda users: users.update("u", password="new"))
        assert sent[0][:2] == ("GET", "/v1/users/u")
        assert sent[1] == ("PUT", "/v1/users/u", {"id": "u", "pass": "new", "roles": [ROLE]})

    def test_new_roles_keep_the_password(self):
        _, sent = self.play(lambda users: users.update("u", roles=["r"]))
        assert sent[1] == ("PUT", "/v1/users/u", {"id": "u", "password": None, "roles": [ROLE]})

    def test_create(self):
        user, sent = self.play(lambda users: users.create("u", ["r"], "pw"))
        assert user.roles[0].name == "r"
        assert sent[1] == ("POST", "/v1/users", {"id": "u", "pass": "pw", "roles": [ROLE]})

    def test_missing_ok(self):
        answer = Answer(b'user "u" does not exist', status=404)
        with service(lambda request: answer) as (_, client), AuthNClient(client.base_url) as authn:
            authn.user_manager().delete("u", missing_ok=True)
            with pytest.raises(ErrUserNotFound):
                authn.user_manager().delete("u")

    @pytest.mark.parametrize(
        "call",
        [
            lambda users: users.update("u"),
            lambda users: users.create("u", "admin", "pw"),
            lambda users: users.get(""),
            lambda users: users.get(".."),
        ],
    )
    def test_refused_before_any_request(self, call):
        with pytest.raises(InvalidArgument):
            call(AuthNClient("http://localhost:1").user_manager())


class TestRoles:
    def play(self, call):
        def script(request):
            return body(
                {"clusters": {"c": {"id": "c", "alias": "al"}}} if "/clusters/" in request.path else ROLE
            )

        with service(script) as (server, client), AuthNClient(client.base_url) as authn:
            call(authn.role_manager())
        return [(r.method, r.path, json.loads(r.body) if r.body else None) for r in server.requests]

    def test_create_for_a_bucket(self):
        sent = self.play(
            lambda roles: roles.create("r", "d", "al", [AccessAttr.GET, AccessAttr.ACCESS_RW], "b")
        )
        bucket = {"name": "b", "provider": "ais", "namespace": {"uuid": "c", "name": ""}}
        wanted = {**ROLE, "clusters": None, "buckets": [{"bck": bucket, "perm": "831"}]}
        assert sent[1] == ("POST", "/v1/roles", wanted)

    def test_update_replaces_permissions_for_clusters(self):
        sent = self.play(lambda roles: roles.update("r", "new", "al", [AccessAttr.GET]))
        wanted = {**ROLE, "desc": "new", "clusters": [{"id": "c", "perm": "1"}]}
        assert sent[-1] == ("PUT", "/v1/roles/r", wanted)

    def test_missing_ok(self):
        answer = Answer(b'role "r" does not exist', status=404)
        with service(lambda request: answer) as (_, client), AuthNClient(client.base_url) as authn:
            authn.role_manager().delete("r", missing_ok=True)
            with pytest.raises(ErrRoleNotFound):
                authn.role_manager().delete("r")

    @pytest.mark.parametrize(
        "arguments",
        [{}, {"perms": [AccessAttr.GET]}, {"bucket_name": "b"}, {"cluster_alias": "al"}],
    )
    def test_refused_before_any_request(self, arguments):
        with pytest.raises(InvalidArgument):
            AuthNClient("http://localhost:1").role_manager().update("r", **arguments)


class TestClusters:
    @pytest.mark.parametrize(
        "call",
        [
            lambda clusters: clusters.get(),
            lambda clusters: clusters.delete(),
            lambda clusters: clusters.register("al", []),
            lambda clusters: clusters.register("al", "http://host:8080"),
            lambda clusters: clusters.update("c"),
            lambda clusters: clusters.update("", "al"),
        ],
    )
    def test_refused_before_any_request(self, call):
        with pytest.raises(InvalidArgument):
            call(AuthNClient("http://localhost:1").cluster_manager())

    def test_none_found(self):
        with service(lambda request: body({})) as (_, client), AuthNClient(client.base_url) as authn:
            for error in (RuntimeError, ValueError):
                with pytest.raises(error, match="No cluster found"):
                    authn.cluster_manager().get("c")

    @pytest.mark.parametrize("answer", [Answer(status=404), body({"tmap": {}, "pmap": {}})])
    def test_register_what_is_no_cluster(self, answer):
        with service(lambda request: answer) as (server, client), AuthNClient(client.base_url) as authn:
            with pytest.raises(ValueError, match="UUID"):
                authn.cluster_manager().register("al", [server.endpoint])

    def test_register_without_uuid(self):
        node = {"daemon_id": "p", "daemon_type": "proxy"}
        answer = body({"tmap": {}, "pmap": {}, "proxy_si": node})
        with service(lambda request: answer) as (server, client), AuthNClient(client.base_url) as authn:
            with pytest.raises(ValueError, match="UUID"):
                authn.cluster_manager().register("al", [server.endpoint])


class TestTypes:
    def test_secrets_are_not_shown(self):
        shown = repr(
            [TokenMsg(token="s3cret"), LoginMsg(password="s3cret"), UserInfo(id="u", password="s3cret")]
        )
        assert "s3cret" not in shown
        assert "s3cret" not in str(UserMap({"u": UserInfo(id="u", password="s3cret")}))

    def test_permissions(self):
        assert AccessAttr.describe(771) == "GET,OBJ_HEAD,BCK_HEAD,OBJ_LIST"
        assert AccessAttr.describe(0) == AccessAttr.describe(1 << 20) == ""
        assert ClusterPermission(id="c", perm="3").describe() == "GET,OBJ_HEAD"
        assert str(ClusterPermission(id="c", perm="0")) == "ClusterPermission(id=c, perm=)"
        bucket = BucketPermission(bck=BucketModel(name="b", provider="ais"), perm="1")
        assert "perm=GET" in str(bucket)
        role = RoleInfo(name="r", desc="d", buckets=[bucket], clusters=[ClusterPermission(id="c", perm="1")])
        assert "ClusterPermission(id=c, perm=GET)" in str(role)

    def test_lists(self):
        roles = RolesList([RoleInfo(name="r", desc="d"), RoleInfo(name="s", desc="d")])
        assert (len(roles), roles[1].name, [role.name for role in roles]) == (2, "s", ["r", "s"])
        assert str(roles).count("RoleInfo") == 2
        users = UserMap({"u": UserInfo(id="u", roles=roles)})
        assert (len(users), users["u"].id, list(users), next(iter(users.items()))[0]) == (1, "u", ["u"], "u")
        assert UserInfo.model_validate({"id": "u", "roles": None}).roles.root == []
        assert UserMap(None).root == {}

    def test_defaults_are_not_shared(self):
        ClusterInfo(id="a").urls.append("x")
        assert ClusterInfo(id="b").urls == []
        assert ClusterList().clusters == {}

    def test_user_names_a_new_password_as_the_service_does(self):
        assert UserInfo(id="u", password="p").dict() == {"id": "u", "roles": [], "pass": "p"}
        assert UserInfo(id="u").dict() == {"id": "u", "password": None, "roles": []}


def test_managers_share_the_client():
    with AuthNClient("http://localhost:52001") as authn:
        managers = (
            authn.cluster_manager(), authn.role_manager(), authn.user_manager(), authn.token_manager()
        )  # fmt: skip
        assert all(manager.client is authn.client for manager in managers)
    assert AuthNResponseHandler().exc_class is AuthNError


@pytest.mark.parametrize(
    ("changes", "desc", "clusters"),
    [
        ({"desc": "new"}, "new", [{"id": "c", "perm": "771"}]),
        ({"cluster_alias": "c", "perms": [AccessAttr.GET]}, "d", [{"id": "c", "perm": "1"}]),
    ],
)
def test_a_role_keeps_what_is_not_changed(changes, desc, clusters):
    sent = []

    def script(request):
        if request.method == "PUT":
            sent.append(json.loads(request.body))
            return Answer()
        if request.path.startswith("/v1/clusters"):
            return body({"clusters": {"c": {"id": "c", "alias": "c", "urls": ["http://h"]}}})
        return body(ROLE)

    with service(script) as (_, client), AuthNClient(client.base_url) as authn:
        authn.role_manager().update("r", **changes)
    assert sent[0]["desc"] == desc
    assert [{"id": one["id"], "perm": one["perm"]} for one in sent[0]["clusters"]] == clusters
