"""Archives: `.tar`, `.tgz`, `.zip` and `.tar.lz4`, written as a stream and read member by member.

* `formats`: which format a name, a MIME text or the first bytes mean
* `writer`: `ArchiveWriter(format, sink)` writes members one after the other, never holding one whole
* `reader`: `open_archive(reader, format)` finds members in an object and yields their bytes

Names inside an archive are data: nothing here ever touches the file system by such a name.
"""

from __future__ import annotations

from aistore.local.archives.formats import Format, by_content, by_mime, by_name, suffix_of
from aistore.local.archives.reader import Archive, Member, indexed_members, open_archive
from aistore.local.archives.writer import ArchiveWriter

__all__ = [
    "Archive",
    "ArchiveWriter",
    "Format",
    "Member",
    "by_content",
    "by_mime",
    "by_name",
    "indexed_members",
    "open_archive",
    "suffix_of",
]
