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

  # What wakes it, and costs nothing otherwise. The prefixes are those of chalicelib/storage/keys.py.
  stream_filters = [
    # Events that someone waits for.
    { eventName = ["INSERT"], dynamodb = { Keys = { pk = { S = [{ prefix = "OUT#" }] } } } },
    # The usage log, for the counts.
    { eventName = ["INSERT"], dynamodb = { Keys = { pk = { S = [{ prefix = "LOG#" }] } } } },
    # Tags that the TTL service removed; of the rest that it removes nobody wants to hear.
    {
      eventName    = ["REMOVE"]
      userIdentity = { type = ["Service"], principalId = ["dynamodb.amazonaws.com"] }
      dynamodb     = { Keys = { sk = { S = [{ prefix = "TAG#" }] } } }
    },
  ]
}

resource "aws_lambda_event_source_mapping" "stream" {
  for_each = local.stream_triggers

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
