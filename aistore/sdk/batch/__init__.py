"""Get-Batch: many objects, ranges and archive members in one answer."""
