"""Accounts, tokens and signed redirects, as they are kept in a folder."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from aistore.local.admin import Admin, take_admin
from aistore.local.authn import Authn
from aistore.local.authn.accounts import BucketMask, Cluster, ClusterMask, Role
from aistore.local.authn.identity import ALL, Identity, describe, go_duration
from aistore.local.authn.jwt import InvalidToken
from aistore.local.authn.passwords import hash_password, is_password
from aistore.local.catalog import Catalog
from aistore.local.errors import LocalError
from aistore.local.names import Bck

CLUSTER = "cluster-1"
B = Bck("b")
ADMIN = Admin("admin", "secret")


@contextlib.contextmanager
def opened(root: Path, admin: Admin = ADMIN) -> Iterator[Authn]:
    catalog = Catalog(root / "catalog.sqlite")
    try:
        yield Authn(catalog, root, admin)
    finally:
        catalog.close()


@pytest.fixture
def authn(tmp_path: Path) -> Iterator[Authn]:
    with opened(tmp_path) as found:
        yield found


def bucket_mask(perm: int, name: str = "b", namespace: str = "") -> BucketMask:
    bck = {"name": name, "provider": "ais", "namespace": {"uuid": CLUSTER, "name": namespace}}
    return BucketMask(bck, str(perm))


def login(authn: Authn, name: str, life: float = 3600.0) -> str:
    user = authn.accounts.user(name)
    return authn.tokens.issue(user, authn.accounts.roles_of(user), life, "http://authn")


def user_with(authn: Authn, *roles: Role, name: str = "bob") -> Identity:
    for role in roles:
        authn.accounts.add_role(role)
    authn.accounts.add_user(name, "pw", [role.name for role in roles])
    return authn.identify(login(authn, name))


# ---- passwords and the built-in user


def test_passwords_are_kept_salted_and_hashed(tmp_path):
    with opened(tmp_path) as authn:
        authn.accounts.add_user("bob", "correct horse", [])
    assert b"correct horse" not in (tmp_path / "catalog.sqlite").read_bytes()
    assert hash_password("x") != hash_password("x")
    assert is_password("x", hash_password("x"))
    assert not is_password("y", hash_password("x"))


def test_only_this_user_reads_the_catalog(tmp_path, authn):
    for path in tmp_path.glob("catalog.sqlite*"):
        assert path.stat().st_mode & 0o077 == 0


def test_a_password_is_made_up_once(tmp_path):
    file = tmp_path / "authn-password"
    with opened(tmp_path, Admin()) as authn:
        assert authn.new_password == file
        assert file.stat().st_mode & 0o777 == 0o600
        made_up = file.read_text().strip()
        assert len(made_up) > 20
        assert authn.accounts.check_password("admin", made_up)
    with opened(tmp_path, Admin()) as authn:
        assert authn.new_password is None
        assert authn.accounts.check_password("admin", made_up)
    with opened(tmp_path, Admin("admin", made_up)) as authn:
        assert file.exists()
    with opened(tmp_path, Admin("admin", "given")) as authn:
        assert authn.accounts.check_password("admin", "given")
        assert not authn.accounts.check_password("admin", made_up)
        assert not file.exists()


def test_the_file_of_a_password_goes_when_it_is_changed(tmp_path):
    with opened(tmp_path, Admin()) as authn:
        authn.accounts.add_user("bob", "pw", [])
        authn.accounts.change_user("bob", "other", [])
        assert (tmp_path / "authn-password").exists()
        authn.accounts.change_user("admin", "mine", [])
        assert not (tmp_path / "authn-password").exists()


def test_the_file_of_a_password_is_not_written_through_a_link(tmp_path):
    (tmp_path / "elsewhere").write_text("kept")
    (tmp_path / "authn-password").symlink_to(tmp_path / "elsewhere")
    with opened(tmp_path, Admin()):
        assert (tmp_path / "elsewhere").read_text() == "kept"
        assert not (tmp_path / "authn-password").is_symlink()


def test_the_built_in_user_comes_from_the_environment_and_leaves_it():
    env = {"AIS_AUTHN_SU_NAME": "root", "AIS_AUTHN_SU_PASS": "hush", "HOME": "/"}
    admin = take_admin(env)
    assert admin == Admin("root", "hush")
    assert env == {"HOME": "/"}
    assert "hush" not in repr(admin)
    assert take_admin({}) == Admin("admin", "")


# ---- grants


def test_a_bucket_entry_takes_the_place_of_its_clusters(authn):
    who = user_with(
        authn, Role("r", clusters=[ClusterMask(id=CLUSTER, perm="831")], buckets=[bucket_mask(1)])
    )
    assert who.granted(CLUSTER, B) == 1
    assert who.granted(CLUSTER, Bck("other")) == 831
    assert who.granted(CLUSTER, Bck("b", ns_name="ns")) == 831
    assert who.granted(CLUSTER, Bck("b", "aws")) == 831
    assert who.granted(CLUSTER, None) == 831
    assert who.granted("another", B) == 0


def test_an_entry_without_a_cluster_is_the_default(authn):
    masks = [ClusterMask(id="", perm="4096"), ClusterMask(id=CLUSTER, perm="1")]
    who = user_with(authn, Role("r", clusters=masks))
    assert who.granted("elsewhere", None) == 4096
    assert who.granted(CLUSTER, None) == 1


def test_roles_add_up(authn):
    who = user_with(
        authn,
        Role("one", clusters=[ClusterMask(id=CLUSTER, perm="4096")], buckets=[bucket_mask(1)]),
        Role("two", clusters=[ClusterMask(id=CLUSTER, perm="8192")], buckets=[bucket_mask(4)]),
    )
    assert who.granted(CLUSTER, None) == 12288
    assert who.granted(CLUSTER, B) == 5


def test_admins_may_do_everything(authn):
    assert authn.identify(login(authn, "admin")).granted("any", B) == ALL


def test_the_claims_are_those_of_the_recording(authn):
    import base64
    import json

    def claims(token: str) -> dict:
        part = token.split(".")[1]
        return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))

    masks = [ClusterMask(id=CLUSTER, perm="12288")]
    authn.accounts.add_role(Role("reader", clusters=masks, buckets=[bucket_mask(771)]))
    authn.accounts.add_user("bob", "pw", ["reader"])
    mine = claims(login(authn, "bob"))
    assert mine.pop("exp") - mine.pop("iat") == 3600
    for own in ("uid", "jti"):
        mine.pop(own)
    assert mine == {
        "clusters": [{"id": CLUSTER, "perm": "12288"}],
        "buckets": [{"bck": bucket_mask(0).bck, "perm": "771"}],
        "admin": False,
        "iss": "http://authn",
        "sub": "bob",
        "aud": [CLUSTER],
    }
    admin = claims(login(authn, "admin"))
    assert set(admin) - {"uid", "jti"} == {"clusters", "admin", "iss", "sub", "exp", "iat"}
    assert admin["admin"] is True
    assert admin["clusters"] is None


# ---- tokens


def test_what_a_token_grants_is_fixed_when_it_is_issued(authn):
    authn.accounts.add_role(Role("r", clusters=[ClusterMask(id=CLUSTER, perm="1")]))
    authn.accounts.add_user("bob", "pw", ["r"])
    token = login(authn, "bob")
    authn.accounts.change_role("r", Role("r", clusters=[ClusterMask(id=CLUSTER, perm="4096")]))
    assert authn.identify(token).granted(CLUSTER, None) == 1
    assert authn.identify(login(authn, "bob")).granted(CLUSTER, None) == 4096


def test_revoked_tokens_stay_revoked(tmp_path):
    with opened(tmp_path) as authn:
        token, other = login(authn, "admin"), login(authn, "admin")
        authn.tokens.revoke(token)
        authn.tokens.revoke(token)
    with opened(tmp_path) as authn:
        with pytest.raises(InvalidToken, match="revoked") as caught:
            authn.identify(token)
        assert token not in str(caught.value)
        assert authn.identify(other).user == "admin"


def test_each_login_has_a_token_of_its_own(authn):
    first, second = login(authn, "admin"), login(authn, "admin")
    authn.tokens.revoke(first)
    assert authn.identify(second).user == "admin"


def test_tokens_are_not_kept(tmp_path):
    with opened(tmp_path) as authn:
        token = login(authn, "admin")
        authn.tokens.revoke(token)
    with contextlib.closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as conn:
        dump = "\n".join(conn.iterdump())
    assert token not in dump
    assert token.split(".")[2] not in dump


def test_a_removed_users_tokens_are_worth_nothing(authn):
    authn.accounts.add_user("bob", "pw", [])
    token = login(authn, "bob")
    authn.accounts.remove_user("bob")
    with pytest.raises(InvalidToken, match="user was removed"):
        authn.identify(token)
    authn.accounts.add_user("bob", "pw", [])
    with pytest.raises(InvalidToken, match="user was removed"):
        authn.identify(token)


def test_tokens_are_void_after_a_change_of_password(tmp_path):
    with opened(tmp_path) as authn:
        authn.accounts.add_user("bob", "pw", [])
        token, admin = login(authn, "bob"), login(authn, "admin")
        authn.accounts.add_role(Role("r"))
        authn.accounts.change_user("bob", "", ["r"])
        assert authn.identify(token).user == "bob"
        authn.accounts.change_user("bob", "other", [])
        with pytest.raises(InvalidToken, match="another password since"):
            authn.identify(token)
        assert authn.identify(login(authn, "bob")).user == "bob"
        assert authn.identify(admin).user == "admin"
    # A start with the same password changes nothing, one with another does.
    with opened(tmp_path) as authn:
        assert authn.identify(admin).user == "admin"
    with (
        opened(tmp_path, Admin("admin", "other")) as authn,
        pytest.raises(InvalidToken, match="another password since"),
    ):
        authn.identify(admin)


def test_tokens_of_another_folder_are_refused(tmp_path, authn):
    (tmp_path / "other").mkdir()
    with opened(tmp_path / "other") as other, pytest.raises(InvalidToken, match="signature is invalid"):
        authn.identify(login(other, "admin"))


# ---- refused changes


@pytest.mark.parametrize(
    ("change", "status", "why"),
    [
        (lambda a: a.add_user("", "x", []), 400, "invalid credentials"),
        (lambda a: a.add_user("a/b", "x", []), 400, "invalid credentials"),
        (lambda a: a.add_user("u", " ", []), 400, "invalid credentials"),
        (lambda a: a.add_user("admin", "x", []), 409, "already exists"),
        (lambda a: a.add_user("u", "x", ["nosuch"]), 404, 'role "nosuch" does not exist'),
        (lambda a: a.change_user("nosuch", "x", []), 404, "does not exist"),
        (lambda a: a.change_user("admin", "", ["r"]), 403, 'cannot take the role "Admin"'),
        (lambda a: a.remove_user("admin"), 403, 'cannot remove built-in "admin" account'),
        (lambda a: a.remove_user("nosuch"), 404, "does not exist"),
        (lambda a: a.add_role(Role()), 400, "role name is undefined"),
        (lambda a: a.add_role(Role("r")), 409, "already exists"),
        (lambda a: a.add_role(Role("n", clusters=[ClusterMask(id="c", perm="-1")])), 400, "decimal number"),
        (lambda a: a.add_role(Role("n", buckets=[BucketMask({}, "1")])), 400, "bucket name is missing"),
        (lambda a: a.change_role("Admin", Role()), 403, 'cannot change built-in "Admin"'),
        (lambda a: a.change_role("nosuch", Role()), 404, "does not exist"),
        (lambda a: a.remove_role("Admin"), 403, 'cannot remove built-in "Admin" role'),
        (lambda a: a.remove_role("nosuch"), 404, "does not exist"),
        (lambda a: a.add_cluster(Cluster()), 400, "ID is undefined"),
        (lambda a: a.add_cluster(Cluster("c", "other")), 409, "already registered"),
        (lambda a: a.add_cluster(Cluster("new", "alias")), 409, "already registered"),
        (lambda a: a.change_cluster("c2", Cluster("c2", "alias")), 409, "already registered"),
        (lambda a: a.change_cluster("nosuch", Cluster()), 404, "does not exist"),
        (lambda a: a.remove_cluster("nosuch"), 404, "does not exist"),
    ],
)
def test_changes_that_are_refused_say_why(authn, change, status, why):
    authn.accounts.add_role(Role("r"))
    authn.accounts.add_cluster(Cluster("c", "alias"))
    authn.accounts.add_cluster(Cluster("c2"))
    with pytest.raises(LocalError) as caught:
        change(authn.accounts)
    assert caught.value.status == status
    assert why in caught.value.message


def test_clusters_bring_roles_and_take_them_away(authn):
    accounts = authn.accounts
    accounts.add_cluster(Cluster(CLUSTER, "mine", ["http://here"]))
    perms = {role.name: role.clusters[0].perm for role in accounts.roles.all() if role.clusters}
    assert perms == {"ClusterOwner-mine": str(ALL), "BucketOwner-mine": "831", "Guest-mine": "771"}
    assert accounts.role("Guest-mine").clusters[0].alias == "mine"
    accounts.change_cluster(CLUSTER, Cluster(CLUSTER, None, ["http://there"]))
    assert accounts.find_clusters("mine")[CLUSTER].urls == ["http://there"]
    accounts.remove_cluster("mine")
    assert [role.name for role in accounts.roles.all()] == ["Admin"]


# ---- signed redirects


def test_a_signature_covers_the_request(authn):
    path, query = "/v1/objects/b/a%20b", "provider=ais&pid=p&utm=1&x=a%2Fb"
    whole = authn.sign("POST", path, query, "check-lock")
    signature = whole.rpartition("&sig=")[2]

    def signed(method="POST", raw_path=path, raw_query=whole):
        return authn.signed_action(method, raw_path, raw_query)

    assert whole.startswith(f"{query}&sig=")
    assert signed() == "check-lock"
    assert signed(raw_path="/v1/objects/b/a%20%62") == "check-lock"  # the same name in another spelling
    assert signed(method="PUT") is None
    assert signed(raw_path="/v1/objects/b/other") is None
    for changed in (
        query,
        f"{query}&sig=",
        f"{query}&sig={signature}&sig={signature}",
        f"{query}&sig=9{signature}",
        f"{query}&sig={quote('1800000000.é')}",
        f"{query}&sig={signature.replace('check-lock', 'rename-obj')}",
        f"{query}&sig={signature.replace('check-lock', '')}",
        f"{query}&etl_name=e&sig={signature}",
        f"{query};etl_name=e&sig={signature}",
        f"{whole}&etl_name=e",
        f"{whole};etl_name=e",
        f"etl_name=e&{whole}",
        whole.replace("a%2Fb", "a/b"),
        whole.replace("a%2Fb", "a%2fb"),
        whole.replace("pid=p&utm=1", "utm=1&pid=p"),
    ):
        assert signed(raw_query=changed) is None, changed


@pytest.mark.parametrize("action", ["", "check-lock", "a.b", "a&b=c", "\u00e9 %"])
def test_a_signature_tells_its_action(authn, action):
    assert authn.signed_action("POST", "/p", authn.sign("POST", "/p", "a=1", action)) == action


def test_a_signature_is_good_for_a_minute(authn, monkeypatch):
    now = 1_800_000_000.0
    monkeypatch.setattr("aistore.local.authn.authority.time.time", lambda: now)
    query = authn.sign("GET", "/p", "a=1", "")
    for later, expected in ((59, ""), (61, None)):
        monkeypatch.setattr("aistore.local.authn.authority.time.time", lambda when=now + later: when)
        assert authn.signed_action("GET", "/p", query) == expected


# ---- texts


def test_texts_are_those_of_the_recording():
    assert describe(771) == "GET,HEAD-OBJECT,HEAD-BUCKET,LIST-OBJECTS"
    assert describe(831) == "GET,HEAD-OBJECT,PUT,APPEND, ..."
    assert describe(12288) == "LIST-BUCKETS,SHOW-CLUSTER"
    assert go_duration(86399) == "23h59m59s"
    assert go_duration(86400) == "24h0m0s"
    assert go_duration(61) == "1m1s"
    assert go_duration(-3) == "0s"
