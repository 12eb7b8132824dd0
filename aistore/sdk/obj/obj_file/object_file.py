"""Objects as files: one to read, one to write."""

from aistore.sdk.lazy import lazy_names
from aistore.sdk.obj.obj_file.file_reader import ObjectFileReader
from aistore.sdk.obj.obj_file.file_writer import ObjectFileWriter

__all__ = ["ObjectFileReader", "ObjectFileWriter"]


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "ResumableStream", "get_logger", "logger")
