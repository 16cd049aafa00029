output "url" {
  description = "The address of the registry."
  value       = local.url
}

output "docker_login" {
  description = "The command to sign in with docker."
  value       = "docker login ${local.host} --username admin"
}

output "fill_keys" {
  description = "Makes the keys, once, after the first apply; the registry refuses all requests without them."
  value       = "python -m infra.secrets put ${aws_secretsmanager_secret.keys.arn}${local.edge_option}${local.relay_option}"
}

output "first_user" {
  description = "Makes the first user, a superuser, once, after the keys; prints the password."
  value       = "python -m infra.first_user ${aws_dynamodb_table.registry.arn} ${aws_secretsmanager_secret.keys.arn}"
}

output "setup_secret" {
  description = "Prints the secret that makes the first user over the API instead (POST /api/v1/user/initialize, field setup_secret)."
  value       = "python -m infra.secrets setup ${aws_secretsmanager_secret.keys.arn}"
}

output "rotate_keys" {
  description = "Makes new keys, and accepts the old ones until the second rotation after this one."
  value = join(" ", concat(
    ["python -m infra.secrets rotate ${aws_secretsmanager_secret.keys.arn}${local.edge_option}${local.relay_option}"],
    [for key in sort(keys(local.functions)) : "--function ${local.functions[key].name}"],
  ))
}

output "environment" {
  description = "Settings of the registry, for programs that use its table from another machine."
  value       = local.environment
}

output "dns_target" {
  description = "The target of the domain: its name, its Route 53 zone, and the types of alias records. Null without a domain."
  value       = local.dns_target
}

output "table_arn" {
  description = "The table."
  value       = aws_dynamodb_table.registry.arn
}

output "bucket_arn" {
  description = "The bucket of layers and large manifests."
  value       = aws_s3_bucket.blobs.arn
}

output "keys_arn" {
  description = "The secret that holds the keys."
  value       = aws_secretsmanager_secret.keys.arn
}

output "events_topic_arn" {
  description = "The topic that publishes events."
  value       = aws_sns_topic.events.arn
}

output "queue_arns" {
  description = "The queues by their short names."
  value       = { for key, queue in aws_sqs_queue.this : key => queue.arn }
}

output "dead_queue_names" {
  description = "The dead-letter queues by the short names of their queues, for alarms."
  value       = { for key in keys(local.queues) : key => aws_sqs_queue.dead[key].name }
}

output "functions" {
  description = "The names of the functions by chalice's names."
  value       = { for key, function in aws_lambda_function.this : key => function.function_name }
}

output "log_groups" {
  description = "The log groups."
  value = concat(
    [aws_cloudwatch_log_group.gateway.name],
    [for group in aws_cloudwatch_log_group.function : group.name],
    aws_cloudwatch_log_group.relay[*].name,
  )
}

output "api_id" {
  description = "The gateway's id."
  value       = aws_apigatewayv2_api.registry.id
}

output "distribution_id" {
  description = "The id of CloudFront's distribution; null without CloudFront."
  value       = one(aws_cloudfront_distribution.edge[*].id)
}

locals {
  edge_option  = join("", [for store in aws_cloudfront_key_value_store.edge : " --edge ${store.arn}"])
  relay_option = join("", [for service in aws_ecs_service.relay : " --relay ${service.id}"])
}
