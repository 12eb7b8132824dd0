"""Objects as files: one to read, one to write."""

from aistore.sdk.obj.obj_file.file_reader import ObjectFileReader
from aistore.sdk.obj.obj_file.file_writer import ObjectFileWriter

__all__ = ["ObjectFileReader", "ObjectFileWriter"]
