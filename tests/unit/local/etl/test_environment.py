"""The environment of an ETL's processes."""

import os

import pytest

from aistore.local.etl import environment
from aistore.local.etl.environment import default_workers, make_environment


class Spec:
    command = None
    env = ()
    late_env = ()
    direct_put = False


def made(spec, workers=3):
    return make_environment(spec, "http://t", "shown", [], [], {}, "", workers)


def test_a_class_has_as_many_workers_as_its_target_has_cores():
    assert made(Spec())["NUM_WORKERS"] == "3"

    class Own(Spec):
        env = (("NUM_WORKERS", "1"),)

    class Command(Spec):
        command = ("python", "server.py")

    assert made(Own())["NUM_WORKERS"] == "1"
    assert "NUM_WORKERS" not in made(Command())


def test_the_secret_is_the_targets_to_set():
    class Own(Spec):
        env = (("AIS_ETL_SECRET", "of the message"),)
        late_env = (("AIS_ETL_SECRET", ""),)

    assert made(Own())["AIS_ETL_SECRET"] == "shown"


@pytest.mark.parametrize(
    ("cores", "targets", "workers"), [(1, 1, 2), (2, 1, 2), (8, 2, 4), (9, 2, 5), (64, 1, 6), (4, 64, 2)]
)
def test_workers_fit_the_cores(monkeypatch, cores, targets, workers):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert default_workers(targets) == workers


def test_workers_where_affinity_is_unknown(monkeypatch):
    monkeypatch.delattr(environment.os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert default_workers(1) == 2
