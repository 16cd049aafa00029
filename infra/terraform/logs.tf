# A log group for the gateway and one for each function; all lines are JSON.

locals {
  # A line of the gateway's log; the names are the fields in CloudWatch Logs Insights. It has no path, as tokens of uploads
  # and ids of exports stand in some; the function's log has the request id, too.
  access_log = {
    request_id  = "$context.requestId"
    time        = "$context.requestTime"
    address     = "$context.identity.sourceIp"
    method      = "$context.httpMethod"
    protocol    = "$context.protocol"
    host        = "$context.domainName"
    agent       = "$context.identity.userAgent"
    status      = "$context.status"
    bytes       = "$context.responseLength"
    total_ms    = "$context.responseLatency"
    function_ms = "$context.integrationLatency"
    error       = "$context.error.message"
    why         = "$context.integrationErrorMessage"
  }
}

resource "aws_cloudwatch_log_group" "gateway" {
  #checkov:skip=CKV_AWS_338:These lines contain people's addresses, so log_retention_days limits their retention, to 30 days by default.
  # The policy of a log delivery grows by each group outside /aws/vendedlogs, and has room for about ten:
  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html
  name              = "/aws/vendedlogs/apigateway/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_cloudwatch_log_group" "function" {
  for_each = local.functions

  #checkov:skip=CKV_AWS_338:log_retention_days sets the retention, 30 days by default.
  name              = "/aws/lambda/${each.value.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}
