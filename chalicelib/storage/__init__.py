"""What we keep: DynamoDB, S3 and secrets, in the words of the domain."""
