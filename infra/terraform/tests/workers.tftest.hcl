# A package that declares jobs: builds/workers is what chalice makes of a dispatch on the stream, two readers of queues and
# a schedule.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

mock_provider "aws" {
  alias           = "global"
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  build         = "tests/builds/workers"
  alarm_actions = ["arn:aws:sns:eu-central-1:123456789012:pager"]
}

run "jobs" {
  command = plan

  assert {
    condition = { for key, function in aws_lambda_function.this : key => function.function_name } == {
      api_handler     = "registry-api"
      deliver_webhook = "registry-deliver-webhook"
      dispatch        = "registry-dispatch"
      garbage         = "registry-garbage"
      reconcile       = "registry-reconcile"
      timers          = "registry-timers"
    }
    error_message = "A function that chalice declares is a function here."
  }

  assert {
    condition     = aws_lambda_function.this["garbage"].timeout == 300 && aws_lambda_function.this["garbage"].memory_size == 1024
    error_message = "Memory and time are those of .chalice/config.json."
  }

  assert {
    condition = alltrue([
      keys(aws_lambda_event_source_mapping.stream) == ["dispatch"],
      aws_lambda_event_source_mapping.stream["dispatch"].event_source_arn == aws_dynamodb_table.registry.stream_arn,
      aws_lambda_event_source_mapping.stream["dispatch"].starting_position == "TRIM_HORIZON",
      aws_lambda_event_source_mapping.stream["dispatch"].batch_size == 100,
      aws_lambda_event_source_mapping.stream["dispatch"].bisect_batch_on_function_error,
      aws_lambda_event_source_mapping.stream["dispatch"].maximum_retry_attempts == 10,
      aws_lambda_event_source_mapping.stream["dispatch"].function_response_types == toset(["ReportBatchItemFailures"]),
      aws_lambda_event_source_mapping.stream["dispatch"].destination_config[0].on_failure[0].destination_arn == aws_sqs_queue.this["dispatch-failed"].arn,
    ])
    error_message = "The stream's batches may fail in part and are split, and what fails ten times is sent to a queue."
  }

  assert {
    condition = [for filter in one(aws_lambda_event_source_mapping.stream["dispatch"].filter_criteria).filter : filter.pattern] == [
      jsonencode({
        eventName    = ["REMOVE"]
        userIdentity = { type = ["Service"], principalId = ["dynamodb.amazonaws.com"] }
        dynamodb     = { Keys = { pk = { S = [{ prefix = "R#" }] }, sk = { S = [{ prefix = "TAG#" }] } } }
      })
    ]
    error_message = "The stream invokes its function only for tags that the TTL service removed."
  }

  assert {
    condition = alltrue([
      keys(aws_lambda_event_source_mapping.queue) == ["deliver_webhook", "garbage"],
      aws_lambda_event_source_mapping.queue["garbage"].batch_size == 10,
      aws_lambda_event_source_mapping.queue["garbage"].maximum_batching_window_in_seconds == 5,
      aws_lambda_event_source_mapping.queue["garbage"].scaling_config[0].maximum_concurrency == 4,
      length(aws_lambda_event_source_mapping.queue["deliver_webhook"].scaling_config) == 0,
      aws_lambda_event_source_mapping.queue["garbage"].function_response_types == toset(["ReportBatchItemFailures"]),
    ])
    error_message = "A reader of a queue has the values that chalice declares, and may fail in part."
  }

  assert {
    condition = (
      aws_sqs_queue.this["deliver-webhook"].name == "registry-deliver-webhook" &&
      aws_sqs_queue.dead["deliver-webhook"].name == "registry-deliver-webhook-dead"
    )
    error_message = "A queue that a function reads is made with it."
  }

  assert {
    condition     = aws_sqs_queue.this["garbage"].visibility_timeout_seconds == 1800
    error_message = "A message is visible again after six times its reader's timeout."
  }

  assert {
    condition = alltrue([
      keys(aws_cloudwatch_event_rule.schedule) == ["reconcile", "timers"],
      aws_cloudwatch_event_rule.schedule["timers"].schedule_expression == "rate(1 minute)",
      aws_cloudwatch_event_rule.schedule["reconcile"].name == "registry-reconcile",
      aws_cloudwatch_event_rule.schedule["reconcile"].schedule_expression == "rate(1 hour)",
      aws_cloudwatch_event_rule.schedule["reconcile"].state == "ENABLED",
      aws_cloudwatch_event_target.schedule["reconcile"].arn == aws_lambda_function.this["reconcile"].arn,
      aws_lambda_permission.schedule["reconcile"].principal == "events.amazonaws.com",
    ])
    error_message = "A schedule invokes its function, and has the installation's name."
  }

  assert {
    condition = { for key, config in aws_lambda_function_event_invoke_config.schedule : key =>
      [config.function_name, config.maximum_retry_attempts, config.maximum_event_age_in_seconds] } == {
      reconcile = ["registry-reconcile", 0, 60]
      timers    = ["registry-timers", 0, 60]
    }
    error_message = "Lambda repeats no turn of a schedule, and drops one that waited for a minute: the next one follows."
  }

  assert {
    condition = { for key, role in aws_iam_role_policy.function : key => [for statement in jsondecode(role.policy).Statement : statement.Sid] } == {
      api_handler     = ["Logs", "Table", "Indexes", "Bytes", "Find", "Exports", "Keys"]
      deliver_webhook = ["Logs", "Queue"]
      dispatch        = ["Logs", "Stream", "Failures", "Table"]
      garbage         = ["Logs", "Queue"]
      reconcile       = ["Logs", "Table", "Manifests", "Bytes", "Look"]
      timers          = ["Logs", "Table", "Indexes", "Exports", "Garbage", "Manifests", "Find", "Keys"]
    }
    error_message = "Each function has its own role, with the permissions of its trigger and no more."
  }

  # Without it S3 answers AccessDenied for an object that is missing, and a condition is met by a list alone.
  assert {
    condition = { for key in ["api_handler", "reconcile", "timers"] : key => [
      for statement in jsondecode(aws_iam_role_policy.function[key].policy).Statement : statement.Condition
      if statement.Action == ["s3:ListBucket"]
      ] } == {
      api_handler = [{ StringLike = { "s3:prefix" = ["in/*", "bodies/*"] } }]
      reconcile   = [{ StringLike = { "s3:prefix" = ["in/*", "bodies/*"] } }]
      timers      = [{ StringLike = { "s3:prefix" = ["bodies/*", "exports/*"] } }]
    }
    error_message = "Each function may list the prefixes whose objects it reads, and no others."
  }

  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.function["timers"].policy).Statement : statement.Resource
    if statement.Sid == "Exports"] == [["arn:aws:s3:::bucket/exports/*"]]
    error_message = "The timers write exports of the usage log, and no other bytes."
  }

  assert {
    condition = sort(keys(aws_cloudwatch_metric_alarm.this)) == sort([
      "api-handler-errors", "api-throttled", "bucket-grows", "bucket-large", "deliver-webhook-dead-messages", "deliver-webhook-errors",
      "dispatch-errors", "dispatch-failed-dead-messages", "dispatch-failed-messages", "dispatch-late", "deliver-webhook-late", "garbage-dead-messages",
      "garbage-late",
      "garbage-errors", "gateway-errors", "gateway-slow", "mirrors-failed", "reconcile-errors", "reconcile-silent", "setting-invalid",
      "table-throttled", "timers-errors", "timers-failed", "timers-late", "timers-silent",
    ])
    error_message = "Every function, queue, job and stream has its alarm."
  }

  assert {
    condition = {
      for key, alarm in aws_cloudwatch_metric_alarm.this : key => alarm.threshold if alarm.treat_missing_data == "breaching"
    } == { reconcile-silent = 1, timers-silent = 1 }
    error_message = "A job that does not run is a fault, and nothing else needs data."
  }

  assert {
    condition = {
      for key, alarm in aws_cloudwatch_metric_alarm.this : key => [
        for query in alarm.metric_query : query.expression if query.expression != null
      ] if length(alarm.metric_query) > 0
    } == { bucket-grows = ["DIFF(value)"] }
    error_message = "Only the growth of the bucket is calculated."
  }
}

run "paused" {
  command = plan

  variables {
    paused = true
  }

  expect_failures = [check.paused]

  assert {
    condition = alltrue(concat(
      [for rule in aws_cloudwatch_event_rule.schedule : rule.state == "DISABLED"],
      [for mapping in aws_lambda_event_source_mapping.stream : !mapping.enabled],
      [for mapping in aws_lambda_event_source_mapping.queue : !mapping.enabled],
    ))
    error_message = "Nothing runs by itself while the installation is paused."
  }
}
