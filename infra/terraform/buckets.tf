# The bucket of layers, large manifests and exports of the usage log; and, with access_logs, the bucket of S3's access logs.

locals {
  buckets = merge(
    { blobs = { id = aws_s3_bucket.blobs.id, arn = aws_s3_bucket.blobs.arn, statements = local.edge_statements } },
    { for bucket in aws_s3_bucket.logs : "logs" => { id = bucket.id, arn = bucket.arn, statements = local.log_statements } },
  )

  log_statements = [
    for service, source in merge(
      { "logging.s3.amazonaws.com" = aws_s3_bucket.blobs.arn },
      { for delivery in aws_cloudwatch_log_delivery_source.edge : "delivery.logs.amazonaws.com" => delivery.arn },
      ) : {
      Sid       = replace(service, "/\\W/", "")
      Effect    = "Allow"
      Principal = { Service = service }
      Action    = ["s3:PutObject"]
      Resource  = [for bucket in aws_s3_bucket.logs : "${bucket.arn}/*"]
      Condition = {
        ArnLike      = { "aws:SourceArn" = source }
        StringEquals = { "aws:SourceAccount" = local.account }
      }
    }
  ]

  # Where the upload edge writes: to `staging` if S3 cannot prove digests, so that the registry must prove them.
  edge_writes = var.upload_proof == "staging" ? "staging" : "in"
  arrivals    = distinct(["in", local.edge_writes])

  # CloudFront signs as a service, and the policy allows only this distribution.
  edge_statements = flatten([for distribution in aws_cloudfront_distribution.edge : [
    for action, prefix in { GetObject = "in", PutObject = local.edge_writes } : {
      Sid                             = "Edge${action}"
      Effect                          = "Allow"
      Principal                       = { Service = "cloudfront.amazonaws.com" }
      Action                          = ["s3:${action}"]
      Resource                        = ["${aws_s3_bucket.blobs.arn}/${prefix}/*"]
      Condition                       = { StringEquals = { "aws:SourceArn" = distribution.arn } }
    }
  ]])
}

resource "aws_s3_bucket" "blobs" {
  #checkov:skip=CKV_AWS_21:The variable versions_days keeps versions; a key is never written twice, so they only keep deleted content.
  #checkov:skip=CKV_AWS_144:An installation has one region; layers can be pushed again.
  #checkov:skip=CKV_AWS_145:S3 encrypts with its own key; kms_key_arn sets another one.
  #checkov:skip=CKV2_AWS_62:Nothing waits for events of objects: the registry reads the objects that it expects.
  #checkov:skip=CKV2_AWS_6:Public access to each bucket of this file is blocked below, by a for_each that checkov does not follow.
  #checkov:skip=CKV2_AWS_61:Each bucket of this file has its lifecycle below, by a for_each that checkov does not follow.
  bucket        = local.bucket
  force_destroy = !var.deletion_protection
}

resource "aws_s3_bucket" "logs" {
  count = var.access_logs ? 1 : 0

  #checkov:skip=CKV_AWS_21:Logs are never overwritten.
  #checkov:skip=CKV_AWS_144:The logs stay in the region that they are about.
  #checkov:skip=CKV_AWS_145:S3 writes its access logs with its own key only.
  #checkov:skip=CKV2_AWS_62:Nothing waits for events of logs.
  #checkov:skip=CKV2_AWS_6:Public access to each bucket of this file is blocked below, by a for_each that checkov does not follow.
  #checkov:skip=CKV2_AWS_61:Each bucket of this file has its lifecycle below, by a for_each that checkov does not follow.
  bucket        = "${var.name}-logs-${local.account}-${var.region}"
  force_destroy = !var.deletion_protection
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.buckets

  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = local.buckets

  bucket = each.value.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.buckets

  bucket = each.value.id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null || each.key == "logs" ? "AES256" : "aws:kms"
      kms_master_key_id = each.key == "logs" ? null : var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = local.buckets

  bucket = each.value.id

  # Parts of unfinished uploads. No upload is valid that long.
  rule {
    id     = "unfinished-uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }

  # Objects that the upload edge wrote and no blob names; a named object is copied to `in` at once.
  dynamic "rule" {
    for_each = each.key == "blobs" && local.edge_writes == "staging" ? [2] : []
    content {
      id     = "staging"
      status = "Enabled"
      filter {
        prefix = "staging/"
      }
      expiration {
        days = rule.value
      }
    }
  }

  # Exports of the usage log, whose addresses were sent to people.
  dynamic "rule" {
    for_each = each.key == "blobs" ? [7] : []
    content {
      id     = "exports"
      status = "Enabled"
      filter {
        prefix = "exports/"
      }
      expiration {
        days = rule.value
      }
    }
  }

  # What was deleted, while versions_days keeps it, and the marks of deletions whose content is gone. The rule outlives a
  # value above 0, whose versions it then removes; a bucket without versions has nothing for it.
  dynamic "rule" {
    for_each = each.key == "blobs" ? [max(var.versions_days, 1)] : []
    content {
      id     = "versions"
      status = "Enabled"
      filter {}
      noncurrent_version_expiration {
        noncurrent_days = rule.value
      }
      expiration {
        expired_object_delete_marker = true
      }
    }
  }

  dynamic "rule" {
    for_each = each.key == "logs" ? [var.log_retention_days] : []
    content {
      id     = "old-logs"
      status = "Enabled"
      filter {}
      expiration {
        days = rule.value
      }
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.buckets

  bucket = each.value.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(each.value.statements, [{
      Sid       = "EncryptedConnectionsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [each.value.arn, "${each.value.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }])
  })

  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_logging" "blobs" {
  count = var.access_logs ? 1 : 0

  bucket        = aws_s3_bucket.blobs.id
  target_bucket = aws_s3_bucket.logs[0].id
  target_prefix = "s3/"

  depends_on = [aws_s3_bucket_policy.this]
}
