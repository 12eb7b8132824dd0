"""Entries taken from the archives of Get-Batch answers, by format."""
