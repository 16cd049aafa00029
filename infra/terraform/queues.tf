# The topic that publishes events, and the queues that jobs read. The dead-letter queue `-dead` keeps messages that failed
# five times for two weeks.

locals {
  # Function -> the queue it reads, as `@app.on_sqs_message(queue="garbage")` declares it.
  queue_triggers = {
    for key, mapping in try(local.declared.aws_lambda_event_source_mapping, {}) :
    trimsuffix(key, "-sqs-event-source") => {
      queue       = reverse(split(":", mapping.event_source_arn))[0]
      batch_size  = mapping.batch_size
      window      = mapping.maximum_batching_window_in_seconds
      concurrency = try(mapping.scaling_config.maximum_concurrency, null)
    } if endswith(key, "-sqs-event-source")
  }

  # Queue -> seconds until a message that was received and not deleted is visible again: six times its reader's timeout, as
  # AWS advises. Each queue that a function reads is made, and one for what the stream could not hand over.
  queues = merge(
    { "dispatch-failed" = 180 },
    { for key, trigger in local.queue_triggers : trigger.queue => 6 * local.functions[key].timeout },
  )
}

resource "aws_sns_topic" "events" {
  name              = "${var.name}-events"
  display_name      = "What happened in ${var.name}"
  kms_master_key_id = coalesce(var.kms_key_arn, "alias/aws/sns")
}

resource "aws_sqs_queue" "this" {
  for_each = local.queues

  name                       = "${var.name}-${each.key}"
  visibility_timeout_seconds = each.value
  message_retention_seconds  = 1209600
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = var.kms_key_arn == null ? true : null
  kms_master_key_id          = var.kms_key_arn

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead[each.key].arn
    maxReceiveCount     = 5
  })
}

resource "aws_sqs_queue" "dead" {
  for_each = local.queues

  name                      = "${var.name}-${each.key}-dead"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
}

resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  for_each = local.queues

  queue_url = aws_sqs_queue.dead[each.key].id
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.this[each.key].arn]
  })
}

resource "aws_lambda_event_source_mapping" "queue" {
  for_each = local.queue_triggers

  enabled                            = !var.paused
  event_source_arn                   = aws_sqs_queue.this[each.value.queue].arn
  function_name                      = aws_lambda_function.this[each.key].arn
  batch_size                         = each.value.batch_size
  maximum_batching_window_in_seconds = each.value.window
  function_response_types            = ["ReportBatchItemFailures"]

  dynamic "scaling_config" {
    for_each = each.value.concurrency[*]
    content {
      maximum_concurrency = scaling_config.value
    }
  }
}
