# CloudFront in front of the registry: its functions send large bodies and signed downloads to S3 and everything else to
# the gateway (docs/adr/0003). Their secrets are in the key value store, which `python -m infra.secrets` fills; one of
# them proves to the app that a request came through CloudFront.

locals {
  edge_functions = var.cloudfront ? toset(["viewer_request", "viewer_response"]) : toset([])
  edge_code      = { for key in local.edge_functions : key => file("${path.module}/edge/${key}.js") }

  # AWS's managed policies, which have the same ids in every account.
  policies = {
    never_cache  = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad" # CachingDisabled
    cache        = "658327ea-f89d-4fab-a63d-7e88639e58f6" # CachingOptimized
    all_but_host = "b689b0a8-53d0-40ab-baf2-68738e2966ac" # AllViewerExceptHostHeader
  }
}

resource "aws_cloudfront_key_value_store" "edge" {
  count = var.cloudfront ? 1 : 0

  name    = var.name
  comment = "What the edge functions of ${var.name} know. Secrets: written by python -m infra.secrets"
}

# The constants of edge/viewer_request.js that are not secret.
resource "aws_cloudfrontkeyvaluestore_key" "switches" {
  count = var.cloudfront ? 1 : 0

  key_value_store_arn = aws_cloudfront_key_value_store.edge[0].arn
  key                 = "switches"
  value               = jsonencode({ proof = var.upload_proof, relay = var.relay != null })
}

resource "aws_cloudfront_function" "edge" {
  for_each = local.edge_functions

  name                         = "${var.name}-${replace(each.key, "_", "-")}"
  comment                      = "Cloudberth: ${replace(each.key, "_", " ")}"
  runtime                      = "cloudfront-js-2.0"
  code                         = local.edge_code[each.key]
  publish                      = true
  key_value_store_associations = [aws_cloudfront_key_value_store.edge[0].arn]

  lifecycle {
    precondition {
      condition     = length(local.edge_code[each.key]) <= 10240
      error_message = "edge/${each.key}.js has ${length(local.edge_code[each.key])} characters, and CloudFront takes functions of up to 10,240 bytes."
    }
  }
}

resource "aws_cloudfront_origin_access_control" "blobs" {
  count = var.cloudfront ? 1 : 0

  name                              = local.bucket
  description                       = "Signs what ${var.name} sends to its bucket"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

# What no browser may do with an answer, as in chalicelib/domain/browsers.py: also with errors of CloudFront and S3, which
# no function sees. The registry's own pages have policies of their own, which stay.
resource "aws_cloudfront_response_headers_policy" "edge" {
  #checkov:skip=CKV_AWS_259:Strict transport is for the registry's own host; subdomains and preload lists are for their owner to decide.
  for_each = var.cloudfront ? toset(["answers", "content"]) : toset([])

  name    = "${var.name}-${each.key}"
  comment = "Cloudberth: no browser runs what ${var.name} answers"

  security_headers_config {
    content_security_policy {
      content_security_policy = "default-src 'none'; sandbox"
      override                = false
    }
    content_type_options {
      override = true
    }
    frame_options {
      frame_option = "DENY"
      override     = false
    }
    referrer_policy {
      referrer_policy = "strict-origin-when-cross-origin"
      override        = false
    }
    strict_transport_security {
      access_control_max_age_sec = 31536000
      override                   = false
    }
  }

  dynamic "custom_headers_config" {
    for_each = each.key == "content" ? ["attachment"] : []
    content {
      items {
        header   = "Content-Disposition"
        value    = custom_headers_config.value
        override = true
      }
    }
  }
}

resource "aws_cloudfront_distribution" "edge" {
  count = var.cloudfront ? 1 : 0

  #checkov:skip=CKV2_AWS_47:waf = true adds the rules against the Log4j vulnerability, which checkov does not find in a dynamic block.
  #checkov:skip=CKV_AWS_86:access_logs = true delivers them the newer way, which needs no ACLs (below).
  #checkov:skip=CKV_AWS_305:A registry has no document at its root.
  #checkov:skip=CKV_AWS_310:Each origin is one regional service of AWS; there is no second one to fail over to.
  #checkov:skip=CKV_AWS_374:The operator decides whom the registry serves, with allowed_addresses.
  #checkov:skip=CKV2_AWS_32:Both behaviors have a policy of this file, by a for_each that checkov does not follow.
  enabled             = true
  comment             = var.name
  http_version        = "http2and3"
  is_ipv6_enabled     = true
  aliases             = var.domain == null ? [] : [var.domain.name]
  web_acl_id          = one(aws_wafv2_web_acl.edge[*].arn)
  wait_for_deployment = true

  origin {
    origin_id   = "api"
    domain_name = trimprefix(aws_apigatewayv2_api.registry.api_endpoint, "https://")

    custom_origin_config {
      http_port              = 80
      https_port             = 443
      origin_protocol_policy = "https-only"
      origin_ssl_protocols   = ["TLSv1.2"]
      origin_read_timeout    = 60
    }
  }

  # Only the edge function selects this origin and the relay; the origin of every behavior is the API.
  origin {
    origin_id                = "bucket"
    domain_name              = aws_s3_bucket.blobs.bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.blobs[0].id
  }

  dynamic "origin" {
    for_each = aws_cloudfront_vpc_origin.relay
    iterator = relay
    content {
      origin_id   = "relay"
      domain_name = aws_lb.relay[0].dns_name

      vpc_origin_config {
        vpc_origin_id = relay.value.id
        # The longest that CloudFront takes: the relay may hold a body back while others are on their way to S3.
        origin_read_timeout = 120
      }
    }
  }

  default_cache_behavior {
    target_origin_id           = "api"
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = false
    cache_policy_id            = local.policies.never_cache
    origin_request_policy_id   = local.policies.all_but_host
    response_headers_policy_id = aws_cloudfront_response_headers_policy.edge["answers"].id

    dynamic "function_association" {
      for_each = local.edge_functions
      content {
        event_type   = replace(function_association.key, "_", "-")
        function_arn = aws_cloudfront_function.edge[function_association.key].arn
      }
    }
  }

  # Downloads by signed path (chalicelib/domain/downloads.py): the bytes of a digest never change, so they are cached.
  ordered_cache_behavior {
    path_pattern               = "/content/*"
    target_origin_id           = "api"
    viewer_protocol_policy     = "https-only"
    allowed_methods            = ["GET", "HEAD", "OPTIONS"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = false
    cache_policy_id            = local.policies.cache
    response_headers_policy_id = aws_cloudfront_response_headers_policy.edge["content"].id

    dynamic "function_association" {
      for_each = local.edge_functions
      content {
        event_type   = replace(function_association.key, "_", "-")
        function_arn = aws_cloudfront_function.edge[function_association.key].arn
      }
    }
  }

  # CloudFront caches errors for ten seconds even if caching is disabled, but a blob must be found as soon as it is pushed
  # after a 404.
  dynamic "custom_error_response" {
    for_each = toset([400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504])
    content {
      error_code            = custom_error_response.value
      error_caching_min_ttl = 0
    }
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = var.domain == null
    acm_certificate_arn            = local.certificate_arn
    minimum_protocol_version       = var.domain == null ? "TLSv1" : "TLSv1.2_2021"
    ssl_support_method             = var.domain == null ? null : "sni-only"
  }
}

# The access logs of the distribution go to the bucket of logs: all fields but path, query, referrer and cookie, as tokens
# of uploads, ids of exports and signatures of downloads stand in them.
resource "aws_cloudwatch_log_delivery_source" "edge" {
  count    = var.cloudfront && var.access_logs ? 1 : 0
  provider = aws.global

  name         = var.name
  log_type     = "ACCESS_LOGS"
  resource_arn = aws_cloudfront_distribution.edge[0].arn
}

resource "aws_cloudwatch_log_delivery_destination" "edge" {
  count    = var.cloudfront && var.access_logs ? 1 : 0
  provider = aws.global

  name          = var.name
  output_format = "json"

  delivery_destination_configuration {
    destination_resource_arn = "${aws_s3_bucket.logs[0].arn}/cloudfront"
  }
}

resource "aws_cloudwatch_log_delivery" "edge" {
  count    = var.cloudfront && var.access_logs ? 1 : 0
  provider = aws.global

  delivery_source_name     = aws_cloudwatch_log_delivery_source.edge[0].name
  delivery_destination_arn = aws_cloudwatch_log_delivery_destination.edge[0].arn

  record_fields = [
    "date", "time", "x-edge-location", "x-edge-request-id", "c-ip", "c-port", "x-forwarded-for",
    "cs-method", "cs-protocol", "cs-protocol-version", "cs(Host)", "x-host-header", "cs(User-Agent)", "cs-bytes",
    "sc-status", "sc-bytes", "sc-content-type", "sc-content-len", "sc-range-start", "sc-range-end",
    "time-taken", "time-to-first-byte", "ssl-protocol", "ssl-cipher",
    "x-edge-result-type", "x-edge-response-result-type", "x-edge-detailed-result-type",
  ]

  depends_on = [aws_s3_bucket_policy.this]
}
