"""The S3 API at `/s3`, path style: what S3 clients use daily, answered at any node without redirects.

* pure: `xml` (reading and writing documents), `signature` (Signature V4), `aws_chunked` (framed bodies),
  `digests` (checksums that bodies are held against), `keys`, `conditions`, `metadata`
* routes: `router`, which hands on to `buckets`, `listing`, `objects`, `copying`, `multipart`, `deleting`

ETags are MD5 digests, `<md5 of md5s>-<parts>` after a multipart upload (`entity_tag`).
"""
