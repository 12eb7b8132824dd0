"""Archives: tar, plain or compressed with gzip or lz4, and zip, read and written member by member.

* `formats`: the formats, and which one a name, a MIME text or the first bytes mean
* `compression`: compressed streams
* `tar_headers`, `tar`: a reader of tar streams
* `zip`: a reader of zips that can be read at any offset
* `members`: names of members, and what links point to
* `writer`: a writer of all formats, which also keeps the members of an archive that is appended to

Names inside an archive are data: nothing is extracted by such a name.
"""
