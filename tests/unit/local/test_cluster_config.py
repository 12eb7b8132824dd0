"""The cluster's configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aistore.local.catalog import Catalog
from aistore.local.cluster_config import ClusterConfig, nested
from aistore.local.errors import InvalidRequest


def test_changes_survive_a_restart_unless_transient(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog.sqlite")
    config = ClusterConfig(catalog, "uuid")
    config.change({"lru": {"enabled": True}})
    config.change({"log": {"level": "5"}}, keep=False)
    assert config.current("http://p")["log"]["level"] == "5"
    again = ClusterConfig(catalog, "uuid").current("http://p")
    assert (again["lru"]["enabled"], again["log"]["level"], again["config_version"]) == (True, "3", "1")
    config.reset()
    assert ClusterConfig(catalog, "uuid").current("http://p")["lru"]["enabled"] is False
    catalog.close()


@pytest.mark.parametrize(
    "values", [{"nosuch": 1}, {"lru": {"enabled": "maybe"}}, {"uuid": "x"}, [], {"lru": 1}]
)
def test_refused(tmp_path: Path, values: Any) -> None:
    catalog = Catalog(tmp_path / "catalog.sqlite")
    with pytest.raises(InvalidRequest):
        ClusterConfig(catalog, "uuid").change(values)
    catalog.close()


def test_pairs_of_a_query_are_typed_as_the_defaults() -> None:
    pairs = {"lru.enabled": "true", "mirror.copies": "3", "client.list_timeout": "1m"}
    assert nested(pairs) == {
        "lru": {"enabled": True},
        "mirror": {"copies": 3},
        "client": {"list_timeout": "1m"},
    }


@pytest.mark.parametrize("pair", [("nosuch.key", "1"), ("lru.enabled", "maybe"), ("mirror.copies", "many")])
def test_bad_pairs(pair: tuple[str, str]) -> None:
    with pytest.raises(InvalidRequest, match=pair[0]):
        nested(dict([pair]))
