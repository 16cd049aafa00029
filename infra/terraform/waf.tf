# AWS WAF in front of CloudFront: the addresses that are allowed, and the requests that are known to be bad.

locals {
  address_sets = {
    for version, found in {
      IPV4 = [for range in var.allowed_addresses : range if !strcontains(range, ":")]
      IPV6 = [for range in var.allowed_addresses : range if strcontains(range, ":")]
    } : version => found if length(found) > 0
  }

  # AWS's managed rule groups and their versions. The list of addresses has none: AWS updates it all the time.
  # https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html
  managed_rules = var.waf ? {
    AWSManagedRulesAmazonIpReputationList = null
    AWSManagedRulesKnownBadInputsRuleSet  = var.waf_version
  } : {}
}

resource "aws_wafv2_ip_set" "allowed" {
  for_each = local.address_sets
  provider = aws.global

  name               = "${var.name}-allowed-${lower(each.key)}"
  description        = "Addresses that may reach ${var.name}"
  scope              = "CLOUDFRONT"
  ip_address_version = each.key
  addresses          = each.value
}

resource "aws_wafv2_web_acl" "edge" {
  count    = var.waf || length(var.allowed_addresses) > 0 ? 1 : 0
  provider = aws.global

  #checkov:skip=CKV2_AWS_31:Its logs would contain the Authorization header of every request; metrics and samples are on.
  name        = var.name
  description = "Who may reach ${var.name}"
  scope       = "CLOUDFRONT"

  default_action {
    allow {}
  }

  dynamic "rule" {
    for_each = length(local.address_sets) > 0 ? [local.address_sets] : []
    content {
      name     = "allowed-addresses"
      priority = 0

      action {
        block {}
      }

      statement {
        not_statement {
          statement {
            # An `or` takes two statements or more.
            dynamic "ip_set_reference_statement" {
              for_each = length(local.address_sets) == 1 ? aws_wafv2_ip_set.allowed : {}
              content {
                arn = ip_set_reference_statement.value.arn
              }
            }

            dynamic "or_statement" {
              for_each = length(local.address_sets) == 2 ? [aws_wafv2_ip_set.allowed] : []
              content {
                dynamic "statement" {
                  for_each = or_statement.value
                  content {
                    ip_set_reference_statement {
                      arn = statement.value.arn
                    }
                  }
                }
              }
            }
          }
        }
      }

      visibility_config {
        metric_name                = "${var.name}-allowed-addresses"
        cloudwatch_metrics_enabled = true
        sampled_requests_enabled   = true
      }
    }
  }

  dynamic "rule" {
    for_each = var.waf ? [var.waf_requests] : []
    content {
      name     = "requests-by-address"
      priority = 1

      action {
        block {}
      }

      statement {
        rate_based_statement {
          aggregate_key_type = "IP"
          limit              = rule.value
        }
      }

      visibility_config {
        metric_name                = "${var.name}-requests-by-address"
        cloudwatch_metrics_enabled = true
        sampled_requests_enabled   = true
      }
    }
  }

  dynamic "rule" {
    for_each = local.managed_rules
    content {
      name     = rule.key
      priority = 2 + index(keys(local.managed_rules), rule.key)

      override_action {
        none {}
      }

      statement {
        managed_rule_group_statement {
          vendor_name = "AWS"
          name        = rule.key
          version     = rule.value

          # Bodies below /v2/ are layers and manifests, which may contain anything. The path is compared as it was sent:
          # whatever is written in another way is looked at.
          scope_down_statement {
            not_statement {
              statement {
                byte_match_statement {
                  search_string         = "/v2/"
                  positional_constraint = "STARTS_WITH"

                  field_to_match {
                    uri_path {}
                  }

                  text_transformation {
                    priority = 0
                    type     = "NONE"
                  }
                }
              }
            }
          }
        }
      }

      visibility_config {
        metric_name                = "${var.name}-${rule.key}"
        cloudwatch_metrics_enabled = true
        sampled_requests_enabled   = true
      }
    }
  }

  visibility_config {
    metric_name                = var.name
    cloudwatch_metrics_enabled = true
    sampled_requests_enabled   = true
  }
}
