"""dSort: many shards read, their records put in another order, and written as new shards (protocol-ml/04).

* `spec`: what is asked for, checked before anything starts
* `keys`: what a record is, and what it is sorted by
* `key_map`: which records go to which shards, by regular expressions (the "external key map")
* `plan`: which record goes to which output shard
* `index`: the records, on disk; only what is looked at is in memory
* `payload`: where the records' bytes are: in the input shards, or copied out of compressed ones
* `sort`: one run: extract, sort, create
* `metrics`: how far it is
* `room`: the runs that are known

The bytes of a record are never all in memory: those of plain tars stay where they are and are copied piece by
piece, those of compressed archives are kept in memory up to `max_mem_usage` and on disk beyond.
"""

from __future__ import annotations
