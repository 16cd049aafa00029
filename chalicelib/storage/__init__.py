"""Stores rows in DynamoDB, bytes in S3 and keys in Secrets Manager, and returns values of the domain."""
