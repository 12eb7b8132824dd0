"""Get-Batch: many objects, or members of archives, in one answer and in the order asked for (protocol-ml/01).

* `request`: what was asked for, checked
* `entries`: each entry's bytes, read ahead
* `produce`: the archive as it goes out, and the multipart form around it
* `pending`: requests between the proxy's redirect and the target that answers them
"""
