# What backup and restore need beside the table's point-in-time recovery; docs/runbook.md has the steps.

# A warning, at every plan and apply.
check "paused" {
  assert {
    condition     = !var.paused
    error_message = "paused is on: nothing expires, no bytes are freed, and no mirror runs until it is false again."
  }
}

# Versioning cannot be turned off again: Terraform suspends it when this resource goes. The rule `versions` in buckets.tf
# then removes what was kept.
resource "aws_s3_bucket_versioning" "blobs" {
  count = var.versions_days > 0 ? 1 : 0

  bucket = aws_s3_bucket.blobs.id
  versioning_configuration {
    status = "Enabled"
  }
}
