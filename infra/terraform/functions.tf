# The functions that chalice's package declares: a new function in the code is a new function here. Handler, runtime,
# memory and timeout are set in .chalice/config.json, beside the code; chalice's other resources are not used.
# variables.tf refuses packages that do not fit.

locals {
  build    = startswith(var.build, "/") ? var.build : "${path.module}/${var.build}"
  package  = jsondecode(file("${local.build}/package.json"))
  declared = jsondecode(file("${local.build}/chalice.tf.json")).resource

  functions = {
    for key, function in local.declared.aws_lambda_function : key => {
      name    = "${var.name}-${key == "api_handler" ? "api" : replace(key, "_", "-")}"
      handler = function.handler
      runtime = function.runtime
      memory  = function.memory_size
      timeout = function.timeout
    }
  }

  environment = merge({
    CLOUDBERTH_URL     = local.url
    CLOUDBERTH_TABLE   = aws_dynamodb_table.registry.name
    CLOUDBERTH_BUCKET  = aws_s3_bucket.blobs.bucket
    CLOUDBERTH_SECRETS = aws_secretsmanager_secret.keys.arn
    # How the URLs of all queues begin; no queue is named, so that a function and the queue it reads do not need each other.
    CLOUDBERTH_QUEUES = "https://sqs.${var.region}.${data.aws_partition.current.dns_suffix}/${local.account}/${var.name}-"
    # CloudFront writes to the bucket, serves from it, and proves itself to the app.
    CLOUDBERTH_EDGE      = var.cloudfront ? (var.upload_proof == "staging" ? "staging" : "on") : "off"
    CLOUDBERTH_DOWNLOADS = var.cloudfront ? "edge" : "redirect"
    CLOUDBERTH_ORIGIN    = var.cloudfront ? "on" : "off"
    # Strangers find a new address within minutes.
    CLOUDBERTH_SIGN_UP = "closed"
  }, var.settings)
}

resource "aws_lambda_function" "this" {
  for_each = local.functions

  #checkov:skip=CKV_AWS_50:The variable tracing turns X-Ray on, which bills each trace.
  #checkov:skip=CKV_AWS_115:The variable concurrency limits the API; by default all functions share the account's concurrency.
  #checkov:skip=CKV_AWS_116:The API is called synchronously; queues and streams have their own dead-letter queues; a schedule runs again.
  #checkov:skip=CKV_AWS_117:Table, bucket and secret are AWS endpoints protected by IAM; a VPC would add cost and cold starts (docs/limits.md).
  #checkov:skip=CKV_AWS_272:The package is reproducible and checked by its SHA-256, which proves what a signing profile would prove.
  function_name    = each.value.name
  description      = "Cloudberth: ${each.key == "api_handler" ? "answers every request" : replace(each.key, "_", " ")}"
  role             = aws_iam_role.function[each.key].arn
  handler          = each.value.handler
  runtime          = each.value.runtime
  architectures    = [var.architecture]
  memory_size      = each.value.memory
  timeout          = each.value.timeout
  filename         = "${local.build}/${local.package.file}"
  source_code_hash = filebase64sha256("${local.build}/${local.package.file}")
  kms_key_arn      = var.kms_key_arn

  # Takes from the account's concurrency what others may not use, and -1 takes nothing.
  reserved_concurrent_executions = each.key == "api_handler" ? coalesce(var.concurrency, -1) : -1

  environment {
    variables = local.environment
  }

  # The function records its traces itself, because the X-Ray SDK would double the cold start.
  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.function[each.key].name
    # The platform writes three lines for each invocation at INFO, and what they say is among the metrics of Lambda.
    system_log_level = var.platform_logs ? "INFO" : "WARN"
  }

  lifecycle {
    # `python -m infra.secrets rotate` changes the description to make the function restart.
    ignore_changes = [description]
  }

  depends_on = [aws_iam_role_policy.function]
}
