"""Ctrl-C takes back what a command started in the cluster, or says that it could not."""

from unittest.mock import Mock

import pytest
from click.testing import CliRunner

from aistore.cli import jobs
from aistore.cli.commands import etl
from aistore.cli.session import Session
from aistore.sdk.errors import AISConnectionRefused, ErrETLNotFound

REFUSED = AISConnectionRefused("nothing there")
NOT_THERE = ErrETLNotFound(404, "etl job shout-it does not exist", "u", None)


@pytest.fixture
def session(monkeypatch):
    monkeypatch.setattr(Session, "start_logging", lambda _: None)
    monkeypatch.setattr(Session, "client", Mock())
    return Session()


@pytest.mark.parametrize(
    ("error", "words"), [(None, "job j1 is aborted"), (REFUSED, "job j1 could not be aborted: nothing there")]
)
def test_a_job_is_aborted(session, monkeypatch, capsys, error, words):
    session.client.job.return_value.abort.side_effect = error
    monkeypatch.setattr(jobs, "wait_for", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        jobs.wait_for_own(session, "j1", "copying")
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "words"), [(None, ""), (NOT_THERE, ""), (REFUSED, "ETL shout-it could not be removed: nothing")]
)
def test_an_etl_is_removed(session, monkeypatch, error, words):
    made = session.client.etl.return_value
    made.name = "shout-it"
    made.init_class.return_value.side_effect = KeyboardInterrupt
    made.delete.side_effect = error
    monkeypatch.setattr(etl, "load_class", lambda _: object)
    done = CliRunner().invoke(etl.init, ["a.py:Shout", "--name", "shout-it"], obj=session)
    assert done.exit_code == 1
    made.delete.assert_called_once_with()
    assert ("could not" in done.output) == bool(words)
    assert words in done.output
