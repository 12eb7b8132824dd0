"""Multipart bodies (RFC 2046), decoded as they arrive."""
