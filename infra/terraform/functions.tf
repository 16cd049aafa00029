# The functions, as chalice's package declares them: a function more in the code is a function more here. Handler,
# runtime, memory and time stay in .chalice/config.json, next to the code; chalice's other resources are not used.
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
    # CloudFront writes to the bucket by itself, serves from it, and proves itself to the app.
    CLOUDBERTH_EDGE      = var.cloudfront ? (var.upload_proof == "staging" ? "staging" : "on") : "off"
    CLOUDBERTH_DOWNLOADS = var.cloudfront ? "edge" : "redirect"
    CLOUDBERTH_ORIGIN    = var.cloudfront ? "on" : "off"
  }, var.settings)
}

resource "aws_lambda_function" "this" {
  for_each = local.functions

  #checkov:skip=CKV_AWS_115:Requests share the account's concurrency; a reserve would turn pushes away while others stand idle.
  #checkov:skip=CKV_AWS_116:The API is called synchronously; queues and streams have dead-letter queues of their own; a schedule comes again.
  #checkov:skip=CKV_AWS_117:Table, bucket and secret are AWS's own endpoints behind IAM; a VPC would add cost and cold starts (docs/limits.md).
  #checkov:skip=CKV_AWS_272:The package is reproducible and known by its SHA-256; a signing profile would prove the same.
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

  environment {
    variables = local.environment
  }

  # The function records traces by itself; the X-Ray SDK would double the cold start.
  tracing_config {
    mode = "Active"
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.function[each.key].name
  }

  lifecycle {
    # `python -m infra.secrets rotate` writes there when it makes the function start anew.
    ignore_changes = [description]
  }

  depends_on = [aws_iam_role_policy.function]
}
