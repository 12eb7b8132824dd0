"""`aistore serve` is `python -m aistore.local` by another name, which its help shows."""

import pytest
from click.testing import CliRunner

from aistore.cli.app import cli


@pytest.mark.parametrize("arguments", [["--help"], ["fsck", "--help"]])
def test_help_names_the_command_that_was_given(arguments):
    shown = CliRunner().invoke(cli, ["serve", *arguments])
    assert shown.exit_code == 0
    assert shown.output.startswith(" ".join(["usage: aistore serve", *arguments[:-1]]))
    assert "python -m" not in shown.output
