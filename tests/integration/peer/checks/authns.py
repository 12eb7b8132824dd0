"""AuthN: logins, tokens, and what its managers do; the built-in user is in the environment."""

import os

from run import raises

from aistore import Client
from aistore.sdk.authn import AuthNClient
from aistore.sdk.authn.access_attr import AccessAttr
from aistore.sdk.authn.errors import (
    AuthNError,
    ErrClusterAlreadyRegistered,
    ErrClusterNotFound,
    ErrRoleAlreadyExists,
    ErrRoleNotFound,
    ErrUserAlreadyExists,
    ErrUserInvalidCredentials,
    ErrUserNotFound,
)
from aistore.sdk.errors import AISError, ErrBckNotFound

ENDPOINT = os.environ["PEER_AUTHN"]
ADMIN = (os.environ["AIS_AUTHN_SU_NAME"], os.environ["AIS_AUTHN_SU_PASS"])


def _admin():
    authn = AuthNClient(ENDPOINT)
    token = authn.login(*ADMIN)
    return authn, token


def check_everything(c):
    """One check: a cluster can be registered once, so that the parts follow from each other."""
    authn, token = _admin()
    admin = Client(c.endpoint, token=token)
    _logins(authn)
    alias = _clusters(authn, c.endpoint, admin)
    bucket = admin.bucket(c.name("authn")).create()
    try:
        bucket.object("o").get_writer().put_content(b"bytes")
        _roles(c, authn, alias, bucket.name)
        _users(c, authn, alias, bucket.name)
    finally:
        bucket.delete()
        authn.cluster_manager().delete(cluster_alias=alias)
    _tokens(c, authn)


def _logins(authn):
    assert authn.client is not None
    raises(ValueError, authn.login, "admin", " ")
    raises((ErrUserInvalidCredentials, AuthNError), authn.login, ADMIN[0], "wrong")
    raises((ErrUserNotFound, ErrUserInvalidCredentials, AuthNError), authn.login, "nobody", "x")
    short = AuthNClient(ENDPOINT)
    assert short.login(*ADMIN, expires_in=60)
    short.logout()
    raises(ValueError, short.logout)
    raises(AuthNError, AuthNClient(ENDPOINT, token="not.a.token").user_manager().list)


def _clusters(authn, endpoint, admin):
    manager = authn.cluster_manager()
    assert manager.client is not None
    raises(ValueError, manager.register, "here", [])
    # What registers a cluster asks it for its map, with the caller's token if at all.
    uuid = admin.cluster().get_uuid()
    authn.client.request("POST", path="clusters", json={"id": uuid, "alias": "here", "urls": [endpoint]})
    found = manager.get(cluster_alias="here")
    assert (found.id, found.alias, found.urls) == (uuid, "here", [endpoint])
    assert manager.get(cluster_id=uuid).alias == "here"
    assert uuid in manager.list().clusters
    raises(ValueError, manager.get)
    raises((ErrClusterNotFound, RuntimeError), manager.get, cluster_alias="absent")
    again = {"id": uuid, "alias": "here", "urls": [endpoint]}
    raises(ErrClusterAlreadyRegistered, authn.client.request, "POST", path="clusters", json=again)
    assert manager.update(uuid, cluster_alias="renamed").alias == "renamed"
    assert manager.update(uuid, urls=[endpoint, endpoint + "/"]).alias == "renamed"
    raises(ValueError, manager.update, uuid)
    raises(ValueError, manager.delete)
    raises(ErrClusterNotFound, manager.delete, cluster_id="absent")
    return "renamed"


def _roles(c, authn, alias, bucket):
    manager = authn.role_manager()
    assert manager.client is not None
    name = c.name("role")
    role = manager.create(name, "reads one bucket", alias, [AccessAttr.ACCESS_RO], bucket_name=bucket)
    assert (role.name, role.desc) == (name, "reads one bucket")
    assert role.buckets[0].bck.name == bucket
    assert int(role.buckets[0].perm) == AccessAttr.ACCESS_RO
    assert "GET" in role.buckets[0].describe()
    assert "GET" in str(role)
    raises(ErrRoleAlreadyExists, manager.create, name, "", alias, [AccessAttr.GET])
    raises(ErrClusterNotFound, manager.create, c.name("role"), "", "absent", [AccessAttr.GET])
    manager.update(name, desc="other")
    assert manager.get(name).desc == "other"
    manager.update(name, cluster_alias=alias, perms=[AccessAttr.GET, AccessAttr.LIST_BUCKETS])
    assert int(manager.get(name).clusters[0].perm) == AccessAttr.GET | AccessAttr.LIST_BUCKETS
    raises(ValueError, manager.update, name)
    raises(ErrRoleNotFound, manager.update, "absent", desc="x")
    roles = manager.list()
    assert name in {role.name for role in roles}
    assert len(roles) >= 2
    assert str(roles)
    manager.delete(name)
    raises(ErrRoleNotFound, manager.get, name)
    raises(ErrRoleNotFound, manager.delete, name)
    manager.delete(name, missing_ok=True)


def _users(c, authn, alias, bucket):
    roles, users = authn.role_manager(), authn.user_manager()
    assert users.client is not None
    reader, writer = c.name("reader"), c.name("writer")
    roles.create(reader, "reads", alias, [AccessAttr.ACCESS_RO], bucket_name=bucket)
    roles.create(writer, "writes", alias, [AccessAttr.ACCESS_RW], bucket_name=bucket)
    name = c.name("ann")
    user = users.create(name, [reader], "her password")
    assert (user.id, [role.name for role in user.roles]) == (name, [reader])
    raises(ErrUserAlreadyExists, users.create, name, [reader], "x")
    raises(ErrRoleNotFound, users.create, c.name("bob"), ["absent"], "x")
    assert users.get(name).id == name
    assert name in set(users.list())
    assert dict(users.list().items())[name].id == name

    def client():
        return Client(c.endpoint, token=AuthNClient(ENDPOINT).login(name, "her password"))

    ann = client().bucket(bucket)
    assert ann.object("o").get_reader().read_all() == b"bytes"
    assert [entry.name for entry in ann.list_all_objects()] == ["o"]
    assert raises(AISError, ann.object("n").get_writer().put_content, b"x").status_code == 403
    assert raises(AISError, client().bucket("other").create).status_code == 403
    assert raises(AISError, Client(c.endpoint).bucket(bucket).list_all_objects).status_code == 401
    users.update(name, roles=[reader, writer])
    client().bucket(bucket).object("n").get_writer().put_content(b"x")
    users.update(name, password="another", roles=[reader])
    assert raises(AuthNError, client)
    raises(ValueError, users.update, name)
    raises(ErrUserNotFound, users.update, "absent", password="x")
    users.delete(name)
    raises(ErrUserNotFound, users.get, name)
    raises(ErrUserNotFound, users.delete, name)
    users.delete(name, missing_ok=True)
    for role in (reader, writer):
        roles.delete(role)


def _tokens(c, authn):
    manager = authn.token_manager()
    assert manager.client is not None
    token = AuthNClient(ENDPOINT).login(*ADMIN)
    client = Client(c.endpoint, token=token)
    raises(ErrBckNotFound, client.bucket(c.name("absent")).list_all_objects)
    manager.revoke(token)
    assert raises(AISError, client.cluster().list_buckets).status_code == 401
    raises(ValueError, manager.revoke, "")
    authn.logout()
    assert AccessAttr.describe(AccessAttr.GET | AccessAttr.PUT)
