"""Objects: reading, writing, multipart upload, attributes."""
