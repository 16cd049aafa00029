# The functions, as chalice's package declares them: a function more in the code is a function more here. Handler,
# runtime, memory and time stay in .chalice/config.json, next to the code; chalice's other resources are not used.

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

  # What only an operator knows. The others follow from what is built here.
  settings_of_operators = [
    "CLOUDBERTH_DOWNLOADS", "CLOUDBERTH_FAST_READS", "CLOUDBERTH_GRACE_S", "CLOUDBERTH_LEASE_S", "CLOUDBERTH_LOG_S",
    "CLOUDBERTH_PRESIGN_S", "CLOUDBERTH_PULL_LOG", "CLOUDBERTH_TOKEN_S", "CLOUDBERTH_UPLOAD_S",
  ]

  environment = merge({
    CLOUDBERTH_URL     = local.url
    CLOUDBERTH_TABLE   = aws_dynamodb_table.registry.name
    CLOUDBERTH_BUCKET  = aws_s3_bucket.blobs.id
    CLOUDBERTH_SECRETS = aws_secretsmanager_secret.keys.arn
    # CloudFront writes to the bucket by itself, serves from it, and proves itself to the app.
    CLOUDBERTH_EDGE      = var.cloudfront ? "on" : "off"
    CLOUDBERTH_DOWNLOADS = var.cloudfront ? "edge" : "redirect"
    CLOUDBERTH_ORIGIN    = var.cloudfront ? "on" : "off"
  }, var.settings)
}

resource "aws_lambda_function" "this" {
  for_each = local.functions

  #checkov:skip=CKV_AWS_115:Requests share the account's concurrency; a reserve would turn pushes away while others stand idle.
  #checkov:skip=CKV_AWS_116:The API is called synchronously; queues and streams have dead-letter queues of their own; a schedule comes again.
  #checkov:skip=CKV_AWS_117:Table, bucket and secret are AWS's own endpoints behind IAM; a VPC would add cost and cold starts (docs/limits.md).
  #checkov:skip=CKV_AWS_173:The settings are names and addresses, never keys; kms_key_arn names a key for them.
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

    precondition {
      condition     = local.package.architecture == var.architecture
      error_message = "The package in ${var.build} is built for ${local.package.architecture}, and the functions run on ${var.architecture}. Build it again with `python -m infra.package --arch ${var.architecture}`, or set architecture."
    }

    precondition {
      condition     = local.package.sha256 == filesha256("${local.build}/${local.package.file}")
      error_message = "${local.package.file} in ${var.build} is not the one that package.json was written for. Run `python -m infra.package` again."
    }

    precondition {
      condition     = each.value.memory > 128 && (each.key != "api_handler" || each.value.timeout <= 29)
      error_message = "${each.key} has ${each.value.memory} MB and ${each.value.timeout} s. .chalice/config.json must give it more than chalice's 128 MB, and the API at most 29 s, after which the gateway has left."
    }
  }

  depends_on = [aws_iam_role_policy.function]
}
