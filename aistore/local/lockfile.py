"""A folder belongs to one server at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from aistore.local.errors import LocalClusterError


class FolderLock:
    """Held until `release` or the end of the process.

    Args:
        folder (Path): The data folder; created if absent.

    Raises:
        LocalClusterError: The folder can't be used, or another server has it.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileExistsError as err:
            raise LocalClusterError(
                f"the folder {str(folder)!r} can't be used: there is a file of that name"
            ) from err
        except OSError as err:
            raise LocalClusterError(
                f"the folder {str(folder)!r} can't be used: {err.strerror or err}"
            ) from err
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as err:
            os.close(self._fd)
            raise LocalClusterError(
                f"the folder {str(folder)!r} is in use by another local cluster: "
                "stop that one, or use another folder"
            ) from err

    def release(self) -> None:
        """Give the folder free."""
        os.close(self._fd)
