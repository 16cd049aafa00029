# The resources of a module with only a name and a region (terraform.tfvars here is examples/minimal.tfvars).

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
  build = "tests/builds/api"
}

run "minimal" {
  command = plan

  assert {
    condition     = output.url == "https://abcdefghij.execute-api.eu-central-1.amazonaws.com"
    error_message = "Without a domain the registry has the gateway's default host."
  }

  assert {
    condition     = output.docker_login == "docker login abcdefghij.execute-api.eu-central-1.amazonaws.com --username admin"
    error_message = "The sign-in command names the host without a scheme."
  }

  assert {
    condition     = aws_apigatewayv2_route.default.route_key == "$default" && aws_apigatewayv2_stage.default.name == "$default"
    error_message = "There is one route and one stage without a name, so /v2/ is at the root."
  }

  assert {
    condition     = aws_apigatewayv2_integration.registry.payload_format_version == "1.0"
    error_message = "The app reads payload format 1.0."
  }

  assert {
    condition = one(aws_apigatewayv2_integration.registry.response_parameters).mappings == tomap({
      "overwrite:header.www-authenticate" = "$response.header.registry-challenge"
    }) && one(aws_apigatewayv2_integration.registry.response_parameters).status_code == "401"
    error_message = "A 401 carries its challenge under the name that clients know."
  }

  assert {
    condition = alltrue([
      for field in ["address", "method", "status", "total_ms", "error"] :
      contains(keys(jsondecode(aws_apigatewayv2_stage.default.access_log_settings[0].format)), field)
    ])
    error_message = "The access log is JSON with readable field names."
  }

  assert {
    condition     = !aws_apigatewayv2_api.registry.disable_execute_api_endpoint
    error_message = "Without a domain the gateway's default host must answer."
  }

  assert {
    condition = alltrue([
      keys(aws_lambda_function.this) == ["api_handler"],
      aws_lambda_function.this["api_handler"].function_name == "registry-api",
      aws_lambda_function.this["api_handler"].handler == "app.app",
      aws_lambda_function.this["api_handler"].memory_size == 1769,
      aws_lambda_function.this["api_handler"].timeout == 29,
      one(aws_lambda_function.this["api_handler"].architectures) == "arm64",
      aws_lambda_function.this["api_handler"].tracing_config[0].mode == "PassThrough",
    ])
    error_message = "The API is what chalice declares, with its own name."
  }

  assert {
    condition = aws_lambda_function.this["api_handler"].environment[0].variables == tomap({
      CLOUDBERTH_URL       = "https://abcdefghij.execute-api.eu-central-1.amazonaws.com"
      CLOUDBERTH_TABLE     = "registry"
      CLOUDBERTH_BUCKET    = "registry-123456789012-eu-central-1"
      CLOUDBERTH_QUEUES    = "https://sqs.eu-central-1.amazonaws.com/123456789012/registry-"
      CLOUDBERTH_SECRETS   = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:registry-keys-AbCdEf"
      CLOUDBERTH_EDGE      = "off"
      CLOUDBERTH_DOWNLOADS = "redirect"
      CLOUDBERTH_SIGN_UP   = "closed"
      CLOUDBERTH_ORIGIN    = "off"
    })
    error_message = "The function has the names of the resources, and the setting that nothing is in front of it."
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.function["api_handler"].policy).Statement :
      statement.Sid => statement.Resource } == {
      Logs    = ["arn:aws:logs:eu-central-1:123456789012:log-group:group:*"]
      Table   = ["arn:aws:dynamodb:eu-central-1:123456789012:table/registry"]
      Bytes   = ["arn:aws:s3:::bucket/in/*", "arn:aws:s3:::bucket/bodies/*"]
      Exports = ["arn:aws:s3:::bucket/exports/*"]
      Find    = ["arn:aws:s3:::bucket"]
      Keys    = ["arn:aws:secretsmanager:eu-central-1:123456789012:secret:registry-keys-AbCdEf"]
      Indexes = [
        "arn:aws:dynamodb:eu-central-1:123456789012:table/registry/index/due",
        "arn:aws:dynamodb:eu-central-1:123456789012:table/registry/index/view",
      ]
    }
    error_message = "The API's role reaches the table, its two indexes, three prefixes of the bucket, its keys and its log."
  }

  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(aws_iam_role_policy.function["api_handler"].policy).Statement :
      [for action in statement.Action : !strcontains(action, "*")]
    ]))
    error_message = "No permission names its actions by a *."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.function["api_handler"].policy).Statement : statement.Condition
      if statement.Action == ["s3:ListBucket"]
    ] == [{ StringLike = { "s3:prefix" = ["in/*", "bodies/*"] } }]
    error_message = "Only the prefixes that the API reads may be listed, and never the whole bucket."
  }

  assert {
    condition = alltrue([
      aws_dynamodb_table.registry.billing_mode == "PAY_PER_REQUEST",
      aws_dynamodb_table.registry.deletion_protection_enabled,
      aws_dynamodb_table.registry.point_in_time_recovery[0].enabled,
      aws_dynamodb_table.registry.server_side_encryption[0].enabled,
    ])
    error_message = "The table costs nothing at rest, can be restored to any second, and is not deleted by accident."
  }

  assert {
    condition = alltrue([
      keys(aws_s3_bucket_public_access_block.this) == ["blobs"],
      aws_s3_bucket_public_access_block.this["blobs"].block_public_acls,
      aws_s3_bucket_public_access_block.this["blobs"].block_public_policy,
      aws_s3_bucket_public_access_block.this["blobs"].ignore_public_acls,
      aws_s3_bucket_public_access_block.this["blobs"].restrict_public_buckets,
      aws_s3_bucket_ownership_controls.this["blobs"].rule[0].object_ownership == "BucketOwnerEnforced",
      !aws_s3_bucket.blobs.force_destroy,
    ])
    error_message = "The bucket is private, and is not emptied by accident."
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.this["blobs"].rule[0].abort_incomplete_multipart_upload[0].days_after_initiation == 2
    error_message = "Parts of unfinished uploads expire after two days."
  }

  assert {
    condition = [for rule in aws_s3_bucket_lifecycle_configuration.this["blobs"].rule : {
      prefix = rule.filter[0].prefix, days = rule.expiration[0].days
    } if length(rule.expiration) > 0 && rule.id != "versions"] == [{ prefix = "exports/", days = 7 }]
    error_message = "Exports of the usage log expire after a week; nothing else in the bucket expires."
  }

  assert {
    condition = length(aws_s3_bucket_versioning.blobs) == 0 && [
      for rule in aws_s3_bucket_lifecycle_configuration.this["blobs"].rule : [
        rule.noncurrent_version_expiration[0].noncurrent_days, rule.expiration[0].expired_object_delete_marker,
      ] if rule.id == "versions"
    ] == [[1, true]]
    error_message = "The bucket keeps no versions, and a bucket that did loses them."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_s3_bucket_policy.this["blobs"].policy).Statement : [statement.Effect, statement.Condition]
    ] == [["Deny", { Bool = { "aws:SecureTransport" = "false" } }]]
    error_message = "The bucket's policy refuses plain connections and grants nothing."
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this["blobs"].rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "Without kms_key_arn S3's own key is used."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 0 && length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) > 10
    error_message = "Without somebody who hears them there are no alarms, and the dashboard shows what they would watch."
  }

  assert {
    condition     = keys(aws_sqs_queue.this) == ["dispatch-failed"]
    error_message = "The queues have the names that the code uses."
  }

  assert {
    condition = alltrue([for key, queue in aws_sqs_queue.this :
      queue.name == "registry-${key}" && aws_sqs_queue.dead[key].name == "registry-${key}-dead" &&
      jsondecode(queue.redrive_policy).maxReceiveCount == 5
    ])
    error_message = "Each queue has its dead-letter queue."
  }

  assert {
    condition     = aws_sns_topic.events.name == "registry-events"
    error_message = "The topic is named after the installation."
  }

  assert {
    condition = length(aws_lambda_event_source_mapping.queue) + length(aws_lambda_event_source_mapping.stream) + length(
    aws_cloudwatch_event_rule.schedule) == 0
    error_message = "A package without jobs has no triggers."
  }

  assert {
    condition = length(aws_cloudfront_distribution.edge) + length(aws_wafv2_web_acl.edge) + length(aws_lb.relay) + length(
    aws_apigatewayv2_domain_name.registry) + length(aws_s3_bucket.logs) == 0
    error_message = "Optional resources are not made by default."
  }

  assert {
    condition     = output.fill_keys == "python -m infra.secrets put arn:aws:secretsmanager:eu-central-1:123456789012:secret:registry-keys-AbCdEf"
    error_message = "The keys are made by a program, never by Terraform, whose state would hold them."
  }

  assert {
    condition     = local.tags == { Application = "cloudberth", Installation = "registry", ManagedBy = "terraform" }
    error_message = "Everything is tagged with its installation."
  }

  assert {
    condition = alltrue([for group in concat([aws_cloudwatch_log_group.gateway], values(aws_cloudwatch_log_group.function)) :
    group.retention_in_days == 30])
    error_message = "Every log group has a retention."
  }
}

run "to_be_thrown_away_and_encrypted_with_a_key_of_ones_own" {
  command = plan

  variables {
    name                = "registry-test"
    deletion_protection = false
    access_logs         = true
    kms_key_arn         = "arn:aws:kms:eu-central-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
    settings            = { CLOUDBERTH_PULL_LOG = "all", CLOUDBERTH_DOWNLOADS = "redirect" }
    tags                = { Team = "platform" }
  }

  assert {
    condition = alltrue([
      aws_dynamodb_table.registry.name == "registry-test",
      aws_s3_bucket.blobs.bucket == "registry-test-123456789012-eu-central-1",
      aws_lambda_function.this["api_handler"].function_name == "registry-test-api",
      aws_iam_role.function["api_handler"].name == "registry-test-api",
      aws_sqs_queue.this["dispatch-failed"].name == "registry-test-dispatch-failed",
      aws_secretsmanager_secret.keys.name == "registry-test-keys",
      aws_cloudwatch_log_group.gateway.name == "/aws/vendedlogs/apigateway/registry-test",
    ])
    error_message = "Two installations in one account share no name."
  }

  assert {
    condition = alltrue([
      !aws_dynamodb_table.registry.deletion_protection_enabled,
      aws_s3_bucket.blobs.force_destroy,
      aws_secretsmanager_secret.keys.recovery_window_in_days == 0,
    ])
    error_message = "Without protection everything is deleted at once, and the name can be used again."
  }

  assert {
    condition = alltrue(concat([for arn in [
      aws_dynamodb_table.registry.server_side_encryption[0].kms_key_arn,
      aws_sqs_queue.this["dispatch-failed"].kms_master_key_id,
      aws_sqs_queue.dead["dispatch-failed"].kms_master_key_id,
      aws_sns_topic.events.kms_master_key_id,
      aws_secretsmanager_secret.keys.kms_key_id,
      aws_cloudwatch_log_group.gateway.kms_key_id,
      aws_lambda_function.this["api_handler"].kms_key_arn,
      one(one(aws_s3_bucket_server_side_encryption_configuration.this["blobs"].rule).apply_server_side_encryption_by_default).kms_master_key_id,
      one([for statement in jsondecode(aws_iam_role_policy.function["api_handler"].policy).Statement : one(statement.Resource) if statement.Sid == "Encryption"]),
    ] : arn == var.kms_key_arn]))
    error_message = "The key of kms_key_arn encrypts everything, and the role may use it."
  }

  assert {
    condition = (
      aws_lambda_function.this["api_handler"].environment[0].variables["CLOUDBERTH_PULL_LOG"] == "all" &&
      local.tags["Team"] == "platform"
    )
    error_message = "An operator's settings and tags are used."
  }

  assert {
    condition = alltrue([
      keys(aws_s3_bucket_public_access_block.this) == ["blobs", "logs"],
      aws_s3_bucket_logging.blobs[0].target_prefix == "s3/",
      aws_s3_bucket_lifecycle_configuration.this["logs"].rule[1].expiration[0].days == 30,
      [for statement in jsondecode(aws_s3_bucket_policy.this["logs"].policy).Statement : try(statement.Principal.Service, statement.Effect)] == ["logging.s3.amazonaws.com", "Deny"],
    ])
    error_message = "Access logs go to a separate private bucket, and have the retention of other logs."
  }
}

run "after_a_restore" {
  command = plan

  variables {
    table         = "registry-restored"
    versions_days = 35
  }

  assert {
    condition = alltrue([
      aws_dynamodb_table.registry.name == "registry-restored",
      aws_lambda_function.this["api_handler"].environment[0].variables["CLOUDBERTH_TABLE"] == "registry-restored",
      [for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.properties.metrics[0][3]
      if contains(["table-throttled", "timers-late"], widget.properties.title)] == ["registry-restored", "registry-restored"],
    ])
    error_message = "Everything that names the table names the restored one."
  }

  assert {
    condition = alltrue([
      aws_s3_bucket.blobs.bucket == "registry-123456789012-eu-central-1",
      aws_secretsmanager_secret.keys.name == "registry-keys",
      aws_lambda_function.this["api_handler"].function_name == "registry-api",
      local.tags["Installation"] == "registry",
    ])
    error_message = "All other names are as before."
  }

  assert {
    condition = aws_s3_bucket_versioning.blobs[0].versioning_configuration[0].status == "Enabled" && [
      for rule in aws_s3_bucket_lifecycle_configuration.this["blobs"].rule : rule.noncurrent_version_expiration[0].noncurrent_days
      if rule.id == "versions"
    ] == [35]
    error_message = "Deleted bytes are kept for versions_days."
  }
}
