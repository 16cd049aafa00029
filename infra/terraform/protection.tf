# While deletion_protection is on, `terraform destroy` must end before it deletes anything: AWS itself refuses only to
# delete the table, and by then functions, logs and the secret with the keys would be gone.

resource "terraform_data" "protection" {
  input = var.deletion_protection

  # A provisioner runs when its resource is destroyed, before everything that the resource depends on, and its failure ends
  # the run. It may read nothing but its own resource.
  provisioner "local-exec" {
    when    = destroy
    command = self.output ? "echo deletion_protection is on: set it to false, run terraform apply, then terraform destroy && exit 1" : "echo deletion_protection is off"
  }

  # Every resource of this module; tests/infra/test_terraform.py holds the list complete.
  depends_on = [
    aws_acm_certificate.edge,
    aws_acm_certificate.gateway,
    aws_acm_certificate_validation.edge,
    aws_acm_certificate_validation.gateway,
    aws_apigatewayv2_api.registry,
    aws_apigatewayv2_api_mapping.registry,
    aws_apigatewayv2_domain_name.registry,
    aws_apigatewayv2_integration.registry,
    aws_apigatewayv2_route.default,
    aws_apigatewayv2_stage.default,
    aws_budgets_budget.this,
    aws_cloudfront_distribution.edge,
    aws_cloudfront_function.edge,
    aws_cloudfront_key_value_store.edge,
    aws_cloudfront_origin_access_control.blobs,
    aws_cloudfront_response_headers_policy.edge,
    aws_cloudfront_vpc_origin.relay,
    aws_cloudfrontkeyvaluestore_key.switches,
    aws_cloudwatch_dashboard.this,
    aws_cloudwatch_event_rule.schedule,
    aws_cloudwatch_event_target.schedule,
    aws_cloudwatch_log_delivery.edge,
    aws_cloudwatch_log_delivery_destination.edge,
    aws_cloudwatch_log_delivery_source.edge,
    aws_cloudwatch_log_group.function,
    aws_cloudwatch_log_group.gateway,
    aws_cloudwatch_log_group.relay,
    aws_cloudwatch_log_metric_filter.setting_invalid,
    aws_cloudwatch_metric_alarm.this,
    aws_cloudwatch_query_definition.this,
    aws_dynamodb_table.registry,
    aws_ecs_cluster.relay,
    aws_ecs_service.relay,
    aws_ecs_task_definition.relay,
    aws_iam_role.function,
    aws_iam_role.relay,
    aws_iam_role_policy.function,
    aws_iam_role_policy.relay,
    aws_lambda_event_source_mapping.queue,
    aws_lambda_event_source_mapping.stream,
    aws_lambda_function.this,
    aws_lambda_function_event_invoke_config.schedule,
    aws_lambda_permission.gateway,
    aws_lambda_permission.schedule,
    aws_lb.relay,
    aws_lb_listener.relay,
    aws_lb_target_group.relay,
    aws_route53_record.registry,
    aws_route53_record.validation,
    aws_s3_bucket.blobs,
    aws_s3_bucket.logs,
    aws_s3_bucket_lifecycle_configuration.this,
    aws_s3_bucket_logging.blobs,
    aws_s3_bucket_ownership_controls.this,
    aws_s3_bucket_policy.this,
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.blobs,
    aws_secretsmanager_secret.keys,
    aws_security_group.relay,
    aws_security_group.relay_balancer,
    aws_sns_topic.events,
    aws_sqs_queue.dead,
    aws_sqs_queue.this,
    aws_sqs_queue_redrive_allow_policy.dead,
    aws_vpc_security_group_egress_rule.relay,
    aws_vpc_security_group_egress_rule.relay_balancer,
    aws_vpc_security_group_ingress_rule.relay,
    aws_vpc_security_group_ingress_rule.relay_balancer,
    aws_wafv2_ip_set.allowed,
    aws_wafv2_web_acl.edge,
  ]
}
