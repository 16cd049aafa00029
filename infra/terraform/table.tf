# The table and its two sparse indexes (docs/adr/0002). chalicelib/storage/table.py describes the same table for the local
# stack; tests/architecture compares both.

locals {
  keys    = { partition = "pk", sort = "sk" }
  indexes = [{ name = "due", partition = "due", sort = "due_at" }, { name = "view", partition = "view", sort = "view_at" }]
  types   = { pk = "S", sk = "S", due = "S", due_at = "N", view = "S", view_at = "S" }
}

resource "aws_dynamodb_table" "registry" {
  name                        = coalesce(var.table, var.name)
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = local.keys.partition
  range_key                   = local.keys.sort
  deletion_protection_enabled = var.deletion_protection
  stream_enabled              = true
  stream_view_type            = "NEW_AND_OLD_IMAGES"

  dynamic "attribute" {
    for_each = local.types
    content {
      name = attribute.key
      type = attribute.value
    }
  }

  dynamic "global_secondary_index" {
    for_each = local.indexes
    iterator = index
    content {
      name            = index.value.name
      hash_key        = index.value.partition
      range_key       = index.value.sort
      projection_type = "ALL"
    }
  }

  ttl {
    enabled        = true
    attribute_name = "expires_at"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }
}
