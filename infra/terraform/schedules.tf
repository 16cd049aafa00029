# The rules of the functions that have `@app.schedule(Rate(…))`.

locals {
  schedules = {
    for key, rule in try(local.declared.aws_cloudwatch_event_rule, {}) :
    trimsuffix(key, "-event") => {
      expression  = rule.schedule_expression
      description = rule.description
    } if can(rule.schedule_expression)
  }
}

resource "aws_cloudwatch_event_rule" "schedule" {
  for_each = local.schedules

  name                = local.functions[each.key].name
  description         = each.value.description
  schedule_expression = each.value.expression
  state               = var.paused ? "DISABLED" : "ENABLED"
}

resource "aws_cloudwatch_event_target" "schedule" {
  for_each = local.schedules

  rule      = aws_cloudwatch_event_rule.schedule[each.key].name
  target_id = "function"
  arn       = aws_lambda_function.this[each.key].arn

  # The next run does the work that this one missed.
  retry_policy {
    maximum_event_age_in_seconds = 60
    maximum_retry_attempts       = 1
  }
}

# EventBridge only hands the event over; Lambda itself would keep it for six hours and run a function that fails twice more.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html
resource "aws_lambda_function_event_invoke_config" "schedule" {
  for_each = local.schedules

  function_name                = aws_lambda_function.this[each.key].function_name
  maximum_event_age_in_seconds = 60
  maximum_retry_attempts       = 0
}

resource "aws_lambda_permission" "schedule" {
  for_each = local.schedules

  statement_id  = "schedule"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this[each.key].function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.schedule[each.key].arn
}
