"""Values and bytes of the protocol.

Pure: no socket, file, thread or clock, and nothing of the package is imported but `aistore.errors`.
"""
