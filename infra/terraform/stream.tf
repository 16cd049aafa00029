# The table's stream has one consumer (DynamoDB allows two): the function with `@app.on_dynamodb_record`.

locals {
  stream_triggers = {
    for key, mapping in try(local.declared.aws_lambda_event_source_mapping, {}) :
    trimsuffix(key, "-dynamodb-event-source") => {
      batch_size = mapping.batch_size
      start      = mapping.starting_position
      window     = mapping.maximum_batching_window_in_seconds
    } if endswith(key, "-dynamodb-event-source")
  }

  # The records that invoke the function; others cost nothing. They are the tags that the TTL service removed. For more
  # records, add a pattern to stream.json with the beginning of a key of chalicelib/storage/keys, and handle them in
  # chalicelib/edge/jobs/dispatch.py. The local stack reads the same file (infra/local/stream.py), but sends only records
  # of what its TTL service removes.
  stream_filters = jsondecode(file("${path.module}/stream.json"))
}

resource "aws_lambda_event_source_mapping" "stream" {
  for_each = local.stream_triggers

  enabled                            = !var.paused
  event_source_arn                   = aws_dynamodb_table.registry.stream_arn
  function_name                      = aws_lambda_function.this[each.key].arn
  starting_position                  = each.value.start
  batch_size                         = each.value.batch_size
  maximum_batching_window_in_seconds = each.value.window
  function_response_types            = ["ReportBatchItemFailures"]
  bisect_batch_on_function_error     = true
  maximum_retry_attempts             = 10
  maximum_record_age_in_seconds      = 86400

  filter_criteria {
    dynamic "filter" {
      for_each = local.stream_filters
      content {
        pattern = jsonencode(filter.value)
      }
    }
  }

  destination_config {
    on_failure {
      destination_arn = aws_sqs_queue.this["dispatch-failed"].arn
    }
  }
}
