"""Calls made with this package as they were recorded with the 2.0.0 package, by area."""
