"""Adapters to S3 and EventBridge."""
