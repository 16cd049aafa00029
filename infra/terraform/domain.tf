# The host name, if one is set, and its certificate and records if zone_id is set.

locals {
  gateway_has_domain = var.domain != null && !var.cloudfront
  edge_has_domain    = var.domain != null && var.cloudfront

  has_zone         = try(var.domain.zone_id, null) != null
  makes_own        = var.domain != null && try(var.domain.certificate_arn, null) == null
  certificate      = one(concat(aws_acm_certificate.gateway, aws_acm_certificate.edge))
  validation       = one(concat(aws_acm_certificate_validation.gateway, aws_acm_certificate_validation.edge))
  certificate_arn  = local.makes_own ? local.validation.certificate_arn : try(var.domain.certificate_arn, null)
  certificate_name = var.domain == null ? "" : var.domain.name

  # The target that the name must point to.
  dns_target = one(concat(
    [for name in aws_apigatewayv2_domain_name.registry : {
      name    = name.domain_name_configuration[0].target_domain_name
      zone_id = name.domain_name_configuration[0].hosted_zone_id
      types   = ["A"]
    }],
    local.edge_has_domain ? [{
      name    = aws_cloudfront_distribution.edge[0].domain_name
      zone_id = aws_cloudfront_distribution.edge[0].hosted_zone_id
      types   = ["A", "AAAA"]
    }] : [],
  ))
}

resource "aws_acm_certificate" "gateway" {
  count = local.makes_own && !var.cloudfront ? 1 : 0

  domain_name       = local.certificate_name
  validation_method = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_acm_certificate" "edge" {
  count    = local.makes_own && var.cloudfront ? 1 : 0
  provider = aws.global

  domain_name       = local.certificate_name
  validation_method = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "validation" {
  count = local.makes_own ? 1 : 0

  zone_id         = var.domain.zone_id
  name            = one(local.certificate.domain_validation_options).resource_record_name
  type            = one(local.certificate.domain_validation_options).resource_record_type
  records         = [one(local.certificate.domain_validation_options).resource_record_value]
  ttl             = 300
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "gateway" {
  count = local.makes_own && !var.cloudfront ? 1 : 0

  certificate_arn         = aws_acm_certificate.gateway[0].arn
  validation_record_fqdns = aws_route53_record.validation[*].fqdn
}

resource "aws_acm_certificate_validation" "edge" {
  count    = local.makes_own && var.cloudfront ? 1 : 0
  provider = aws.global

  certificate_arn         = aws_acm_certificate.edge[0].arn
  validation_record_fqdns = aws_route53_record.validation[*].fqdn
}

resource "aws_apigatewayv2_domain_name" "registry" {
  count = local.gateway_has_domain ? 1 : 0

  domain_name = var.domain.name

  domain_name_configuration {
    certificate_arn = local.certificate_arn
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "registry" {
  count = local.gateway_has_domain ? 1 : 0

  api_id      = aws_apigatewayv2_api.registry.id
  domain_name = aws_apigatewayv2_domain_name.registry[0].id
  stage       = aws_apigatewayv2_stage.default.id
}

resource "aws_route53_record" "registry" {
  for_each = toset(local.has_zone ? (var.cloudfront ? ["A", "AAAA"] : ["A"]) : [])

  zone_id = var.domain.zone_id
  name    = var.domain.name
  type    = each.key

  alias {
    name                   = local.dns_target.name
    zone_id                = local.dns_target.zone_id
    evaluate_target_health = false
  }
}
