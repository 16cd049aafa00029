# What an operator watches: a dashboard and saved queries always, alarms as soon as somebody hears them (alarm_actions).
# docs/runbook.md says what to do about each alarm.

locals {
  # What a function, the gateway, the table, a queue and the registry itself report, by alarm. `missing` says what a time
  # without data means: a job that did not run is a fault, a request that did not come is none. An `expression` calculates
  # with the metric, which it calls `value`.
  alarms = merge(
    {
      for key, function in local.functions : "${replace(key, "_", "-")}-errors" => {
        about      = "${function.name} raised errors: ${key == "api_handler" ? "requests got 5xx" : "work is left for its next run"}."
        namespace  = "AWS/Lambda", metric = "Errors", statistic = "Sum", above = 0, minutes = 5, missing = "notBreaching"
        dimensions = { FunctionName = function.name }
      }
    },
    {
      for key in keys(local.schedules) : "${replace(key, "_", "-")}-silent" => {
        about      = "${local.functions[key].name} has not run: nothing expires, and no bytes are freed."
        namespace  = "AWS/Lambda", metric = "Invocations", statistic = "Sum", below = 1, missing = "breaching"
        minutes    = startswith(local.schedules[key].expression, "rate(1 minute") ? 15 : 1440
        dimensions = { FunctionName = local.functions[key].name }
      }
    },
    {
      for key in keys(local.stream_triggers) : "${replace(key, "_", "-")}-late" => {
        about      = "Records of the table's stream wait: expired tags are recorded late, by their timers."
        namespace  = "AWS/Lambda", metric = "IteratorAge", statistic = "Maximum", above = 900000, minutes = 15, missing = "notBreaching"
        dimensions = { FunctionName = local.functions[key].name }
      }
    },
    {
      for name, queue in merge(
        { for key in keys(local.queues) : "${key}-dead" => "${var.name}-${key}-dead" },
        { "dispatch-failed" = "${var.name}-dispatch-failed" },
        ) : "${name}-messages" => {
        about      = "${queue} has messages: what they stand for was given up."
        namespace  = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", statistic = "Maximum", above = 0, minutes = 5, missing = "notBreaching"
        dimensions = { QueueName = queue }
      }
    },
    {
      for key in keys(local.queue_triggers) : "${replace(key, "_", "-")}-late" => {
        about      = "Messages of ${var.name}-${local.queue_triggers[key].queue} wait for a worker."
        namespace  = "AWS/SQS", metric = "ApproximateAgeOfOldestMessage", statistic = "Maximum", above = 900, minutes = 15, missing = "notBreaching"
        dimensions = { QueueName = "${var.name}-${local.queue_triggers[key].queue}" }
      }
    },
    {
      api-throttled = {
        about      = "Requests found no concurrency left: raise `concurrency`, or the account's quota."
        namespace  = "AWS/Lambda", metric = "Throttles", statistic = "Sum", above = 0, minutes = 5, missing = "notBreaching"
        dimensions = { FunctionName = local.functions.api_handler.name }
      }
      gateway-errors = {
        about      = "The gateway answered 5xx, with or without the function."
        namespace  = "AWS/ApiGateway", metric = "5xx", statistic = "Sum", above = 5, minutes = 5, missing = "notBreaching"
        dimensions = { ApiId = aws_apigatewayv2_api.registry.id }
      }
      gateway-slow = {
        about      = "One request in a hundred takes longer than five seconds."
        namespace  = "AWS/ApiGateway", metric = "Latency", extended = "p99", above = 5000, minutes = 15, missing = "notBreaching"
        dimensions = { ApiId = aws_apigatewayv2_api.registry.id }
      }
      table-throttled = {
        about      = "DynamoDB refused writes for a while: one partition is too busy."
        namespace  = "AWS/DynamoDB", metric = "WriteThrottleEvents", statistic = "Sum", above = 10, minutes = 5, missing = "notBreaching"
        dimensions = { TableName = aws_dynamodb_table.registry.name }
      }
      timers-late = {
        about      = "Work is done more than a quarter of an hour after its time: expirations, garbage, policies."
        namespace  = "Cloudberth", metric = "TimersLateSeconds", statistic = "Maximum", above = 900, minutes = 15, missing = "notBreaching"
        dimensions = { Installation = aws_dynamodb_table.registry.name }
      }
      timers-failed = {
        about      = "Work failed and is tried again."
        namespace  = "Cloudberth", metric = "TimersFailed", statistic = "Sum", above = 10, minutes = 60, missing = "notBreaching"
        dimensions = { Installation = aws_dynamodb_table.registry.name }
      }
      mirrors-failed = {
        about      = "Runs of mirrors failed: GET …/mirror/runs has the reasons."
        namespace  = "Cloudberth", metric = "MirrorRunsFailed", statistic = "Sum", above = 10, minutes = 60, missing = "notBreaching"
        dimensions = { Installation = aws_dynamodb_table.registry.name }
      }
      setting-invalid = {
        about      = "A setting is wrong, and every request gets 503."
        namespace  = "Cloudberth", metric = "SettingInvalid-${var.name}", statistic = "Sum", above = 0, minutes = 5, missing = "notBreaching"
        dimensions = {}
      }
      bucket-large = {
        about      = "The bucket holds more than alarm_bucket_gb: look what grows, and whether garbage is collected."
        namespace  = "AWS/S3", metric = "BucketSizeBytes", statistic = "Maximum", above = var.alarm_bucket_gb * 1000000000, minutes = 1440, missing = "notBreaching"
        dimensions = { BucketName = aws_s3_bucket.blobs.bucket, StorageType = "StandardStorage" }
      }
      bucket-grows = {
        about      = "The bucket grew by more than alarm_bucket_growth_gb in a day: look who pushes, and whether garbage is collected."
        namespace  = "AWS/S3", metric = "BucketSizeBytes", statistic = "Maximum", above = var.alarm_bucket_growth_gb * 1000000000, minutes = 1440, missing = "notBreaching"
        dimensions = { BucketName = aws_s3_bucket.blobs.bucket, StorageType = "StandardStorage" }
        expression = "DIFF(value)"
      }
    },
  )

  queries = {
    errors   = "fields @timestamp, level, message, path, request_id | filter level = \"ERROR\" | sort @timestamp desc | limit 100"
    refusals = "fields @timestamp, status, error, why, actor, repository, operation, address, request_id | filter message = \"request\" and status >= 400 | sort @timestamp desc | limit 200"
    slowest  = "fields @timestamp, ms, aws_calls, operation, repository, actor, bytes_in, bytes_out, request_id | filter message = \"request\" | sort ms desc | limit 50"
    timers   = "fields @timestamp, @message | filter message = \"timers\" | sort @timestamp desc | limit 100"
    statuses = "stats count(*) as requests, pct(total_ms, 99) as p99_ms by status, bin(5m) | sort bin(5m) desc | limit 200"
    clients  = "stats count(*) as requests by address, agent | sort requests desc | limit 50"
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = { for key, alarm in local.alarms : key => alarm if length(var.alarm_actions) > 0 }

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.about} See docs/runbook.md."
  namespace           = can(each.value.expression) ? null : each.value.namespace
  metric_name         = can(each.value.expression) ? null : each.value.metric
  dimensions          = can(each.value.expression) ? null : each.value.dimensions
  statistic           = can(each.value.expression) ? null : try(each.value.statistic, null)
  extended_statistic  = try(each.value.extended, null)
  period              = can(each.value.expression) ? null : each.value.minutes * 60
  comparison_operator = can(each.value.below) ? "LessThanThreshold" : "GreaterThanThreshold"
  threshold           = try(each.value.below, each.value.above)
  evaluation_periods  = 1
  treat_missing_data  = each.value.missing
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions

  dynamic "metric_query" {
    for_each = can(each.value.expression) ? [each.value] : []
    content {
      id = "value"
      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.metric
        dimensions  = metric_query.value.dimensions
        stat        = metric_query.value.statistic
        period      = metric_query.value.minutes * 60
      }
    }
  }

  dynamic "metric_query" {
    for_each = can(each.value.expression) ? [each.value] : []
    content {
      id          = "calculated"
      expression  = metric_query.value.expression
      label       = each.key
      return_data = true
    }
  }
}

# A wrong setting is known only from the log.
resource "aws_cloudwatch_log_metric_filter" "setting_invalid" {
  count = length(var.alarm_actions) > 0 ? 1 : 0

  name           = "${var.name}-setting-invalid"
  log_group_name = aws_cloudwatch_log_group.function["api_handler"].name
  pattern        = "{ $.message = \"setting invalid\" }"

  metric_transformation {
    namespace = local.alarms.setting-invalid.namespace
    name      = local.alarms.setting-invalid.metric
    value     = "1"
  }
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [for index, key in sort(keys(local.alarms)) : {
      type   = "metric"
      x      = 8 * (index % 3)
      y      = 6 * floor(index / 3)
      width  = 8
      height = 6
      properties = {
        title  = key
        region = var.region
        stat   = try(local.alarms[key].extended, local.alarms[key].statistic)
        period = local.alarms[key].minutes * 60
        metrics = [concat(
          [local.alarms[key].namespace, local.alarms[key].metric],
          flatten([for name, value in local.alarms[key].dimensions : [name, value]]),
        )]
      }
    }]
  })
}

resource "aws_cloudwatch_query_definition" "this" {
  for_each = local.queries

  name = "${var.name}/${each.key}"
  log_group_names = (
    contains(["statuses", "clients"], each.key) ? [aws_cloudwatch_log_group.gateway.name]
    : [for key in sort(keys(local.functions)) : aws_cloudwatch_log_group.function[key].name]
  )
  query_string = each.value
}
