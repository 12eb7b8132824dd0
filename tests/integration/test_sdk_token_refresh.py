"""A long-lived client on a cluster that asks for tokens: it logs in again when its token no longer counts."""

import pytest

from aistore import Client
from aistore.local import LocalCluster
from aistore.sdk.authn import AuthNClient
from aistore.sdk.errors import AISUnauthorized


def test_a_revoked_token_is_replaced():
    with LocalCluster(targets=2, auth=True) as cluster, AuthNClient(cluster.auth_endpoint) as authn:
        user, password = cluster.admin
        token = authn.login(user, password)
        with (
            Client(cluster.endpoint, token=token) as mortal,
            Client(
                cluster.endpoint, token=token, token_refresh=authn.token_refresh(user, password)
            ) as client,
        ):
            obj = client.bucket("b").create().object("o")
            obj.get_writer().put_content(b"before")
            authn.token_manager().revoke(token)
            with pytest.raises(AISUnauthorized):
                mortal.bucket("b").object("o").get_reader().read_all()
            obj.get_writer().put_content(b"after")
            assert obj.get_reader().read_all() == b"after"
            assert next(client.batch(obj).get())[1] == b"after"
            assert client._request_client.token not in ("", token)
