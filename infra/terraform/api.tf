# The HTTP API: one route takes every method and path, and one function answers all requests (docs/adr/0001).

resource "aws_apigatewayv2_api" "registry" {
  name          = var.name
  description   = "Cloudberth, a container registry"
  protocol_type = "HTTP"

  # With its own domain the gateway has only that host. Behind CloudFront its default host must stay, and the app refuses
  # requests that did not come through CloudFront.
  disable_execute_api_endpoint = local.gateway_has_domain
}

resource "aws_apigatewayv2_integration" "registry" {
  api_id                 = aws_apigatewayv2_api.registry.id
  description            = "Every request"
  integration_type       = "AWS_PROXY"
  integration_method     = "POST"
  integration_uri        = aws_lambda_function.this["api_handler"].invoke_arn
  payload_format_version = "1.0"
  timeout_milliseconds   = 30000

  # Some gateways rename WWW-Authenticate, without which no client signs in, so the app sends each challenge twice. A 401
  # without a challenge, as of /api/v1, has nothing that the mapping could overwrite.
  response_parameters {
    status_code = 401
    mappings    = { "overwrite:header.www-authenticate" = "$response.header.registry-challenge" }
  }
}

resource "aws_apigatewayv2_route" "default" {
  #checkov:skip=CKV_AWS_309:The registry checks its own tokens, and allows anonymous pulls of public repositories.
  api_id    = aws_apigatewayv2_api.registry.id
  route_key = "$default"
  target    = "integrations/${aws_apigatewayv2_integration.registry.id}"
}

# `$default` adds no stage name to the path, so /v2/ is at the root of the host.
resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.registry.id
  name        = "$default"
  auto_deploy = true

  # Without limits here, a stage may use the whole account's, and somebody in a loop spends its money.
  default_route_settings {
    throttling_rate_limit  = var.throttle.rate
    throttling_burst_limit = var.throttle.burst
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.gateway.arn
    format          = jsonencode(local.access_log)
  }
}

resource "aws_lambda_permission" "gateway" {
  statement_id  = "gateway"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this["api_handler"].function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.registry.execution_arn}/*"
}
