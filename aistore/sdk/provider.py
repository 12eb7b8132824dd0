"""Providers: where a bucket's objects come from."""

from __future__ import annotations

from enum import Enum

from aistore.sdk.errors import InvalidBckProvider

ALIAS_GS = "gs"
ALIAS_S3 = "s3"


class Provider(Enum):
    """Backend of a bucket: the cluster itself (`AIS`) or a cloud whose buckets it fronts."""

    AIS = "ais"
    AMAZON = "aws"
    AZURE = "azure"
    GOOGLE = "gcp"
    OCI = "oci"

    def is_remote(self) -> bool:
        """Return whether the objects live in a cloud rather than in the cluster."""
        return self is not Provider.AIS

    @staticmethod
    def parse(provider: Provider | str) -> Provider:
        """Return the provider named by `provider`.

        Args:
            provider: A `Provider`, its value, or one of the aliases `s3` (AWS) and `gs` (Google Cloud).

        Raises:
            InvalidBckProvider: There is no such provider.
        """
        if isinstance(provider, Provider):
            return provider
        try:
            return Provider(provider_aliases.get(provider, provider))
        except (ValueError, TypeError):
            raise InvalidBckProvider(provider) from None


provider_aliases = {ALIAS_GS: Provider.GOOGLE.value, ALIAS_S3: Provider.AMAZON.value}
