"""dSort: sort and reshard the archives of a bucket."""

from aistore.sdk.dsort.core import Dsort
from aistore.sdk.dsort.ekm import ExternalKeyMap
from aistore.sdk.dsort.framework import DsortAlgorithm, DsortFramework, DsortShardsGroup
from aistore.sdk.lazy import lazy_modules

__all__ = ["Dsort", "DsortAlgorithm", "DsortFramework", "DsortShardsGroup", "ExternalKeyMap"]

__getattr__ = lazy_modules(__name__)
