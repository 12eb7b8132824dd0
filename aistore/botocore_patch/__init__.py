"""boto3 and botocore with AIStore's S3 interface: `import aistore.botocore_patch.botocore`."""
