"""Datasets: packing samples into shards, and naming shards to read."""

from aistore.sdk.lazy import lazy_modules

__getattr__ = lazy_modules(__name__)
