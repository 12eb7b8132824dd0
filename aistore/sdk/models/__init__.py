"""Wire shapes, one file a noun. Programs import them from `aistore.sdk.types`."""
