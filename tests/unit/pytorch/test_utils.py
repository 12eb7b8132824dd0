"""Names of samples and files, sizes, URLs."""

import pytest

from aistore.pytorch import utils


@pytest.mark.parametrize(
    ("name", "basename", "extension"),
    [
        ("a/b.tar.gz", "b", "gz"),
        ("x", "x", ""),
        ("a.b/c", "c", ""),
        ("dir/.hid", "", "hid"),
        ("a/b/c.cls.", "c", ""),
        ("", "", ""),
    ],
)
def test_names(name, basename, extension):
    assert (utils.get_basename(name), utils.get_extension(name)) == (basename, extension)
    assert utils.split_name(name) == (basename, extension)


def test_sizes():
    assert utils.convert_mb_to_bytes(1.5) == 1_500_000
    assert utils.convert_mb_to_bytes(1e-7) == 0
    assert utils.convert_bytes_to_mb(1_500_000) == 1.5


def test_urls():
    assert utils.parse_url("ais://b/o/p") == ("ais", "b", "o/p")
    assert utils.unparse_url("ais", "b", "o/p") == "ais://b/o/p"
    assert utils.unparse_url("ais", "b", "") == "ais://b"
