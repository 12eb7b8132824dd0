"""What a bucket does, one concept a file. `aistore.sdk.bucket.Bucket` puts it together."""
