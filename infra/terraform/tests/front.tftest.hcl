# The optional parts in front of the API: a domain, CloudFront, AWS WAF, a relay.

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

run "domain" {
  command = plan

  variables {
    domain = { name = "registry.example.com", zone_id = "Z0123456789ABCDEFGHIJ" }
  }

  assert {
    condition     = output.url == "https://registry.example.com" && output.docker_login == "docker login registry.example.com --username admin"
    error_message = "The domain is the registry's host."
  }

  assert {
    condition     = aws_apigatewayv2_api.registry.disable_execute_api_endpoint
    error_message = "The gateway's default host no longer answers."
  }

  assert {
    condition = alltrue([
      aws_acm_certificate.gateway[0].domain_name == "registry.example.com",
      length(aws_acm_certificate.edge) == 0,
      aws_route53_record.validation[0].name == "_proof.registry.example.com.",
      aws_apigatewayv2_domain_name.registry[0].domain_name_configuration[0].certificate_arn == aws_acm_certificate_validation.gateway[0].certificate_arn,
      aws_apigatewayv2_domain_name.registry[0].domain_name_configuration[0].security_policy == "TLS_1_2",
    ])
    error_message = "A certificate is made in the gateway's region and proven by a record."
  }

  assert {
    condition     = keys(aws_route53_record.registry) == ["A"] && length(aws_apigatewayv2_api_mapping.registry) == 1
    error_message = "The name leads to the gateway."
  }
}

run "cloudfront" {
  command = plan

  variables {
    cloudfront = true
  }

  assert {
    condition     = output.url == "https://d111111abcdef8.cloudfront.net"
    error_message = "Without a domain the registry has CloudFront's host."
  }

  assert {
    condition = alltrue([
      local.environment["CLOUDBERTH_EDGE"] == "on",
      local.environment["CLOUDBERTH_DOWNLOADS"] == "edge",
      local.environment["CLOUDBERTH_ORIGIN"] == "on",
      !aws_apigatewayv2_api.registry.disable_execute_api_endpoint,
    ])
    error_message = "The app finds what CloudFront wrote, sends downloads to it, and refuses requests that did not come through it."
  }

  assert {
    condition = alltrue([for policy in aws_cloudfront_response_headers_policy.edge : alltrue([
      policy.security_headers_config[0].content_security_policy[0].content_security_policy == "default-src 'none'; sandbox",
      !policy.security_headers_config[0].content_security_policy[0].override,
      policy.security_headers_config[0].content_type_options[0].override,
    ])])
    error_message = "No browser runs or guesses what CloudFront answers, and the registry's pages keep their own policies."
  }

  assert {
    condition     = [for item in aws_cloudfront_response_headers_policy.edge["content"].custom_headers_config[0].items : "${item.header}: ${item.value}"] == ["Content-Disposition: attachment"]
    error_message = "A browser saves what was pushed."
  }

  assert {
    condition     = sort([for origin in aws_cloudfront_distribution.edge[0].origin : origin.origin_id]) == tolist(["api", "bucket"])
    error_message = "The origins have the ids that edge/viewer_request.js chooses by."
  }

  assert {
    condition = alltrue([
      for behavior in concat(aws_cloudfront_distribution.edge[0].default_cache_behavior, aws_cloudfront_distribution.edge[0].ordered_cache_behavior) :
      behavior.target_origin_id == "api" && length(behavior.function_association) == 2
    ])
    error_message = "Requests reach the bucket only through the edge function."
  }

  assert {
    condition     = aws_cloudfront_distribution.edge[0].default_cache_behavior[0].cache_policy_id == local.policies.never_cache
    error_message = "The API's answers are never cached."
  }

  assert {
    condition     = alltrue([for answer in aws_cloudfront_distribution.edge[0].custom_error_response : answer.error_caching_min_ttl == 0])
    error_message = "A blob is found at once if it is pushed after a 404."
  }

  assert {
    condition = { for statement in jsondecode(aws_s3_bucket_policy.this["blobs"].policy).Statement : statement.Sid => statement
      if startswith(statement.Sid, "Edge") } == { for action in ["GetObject", "PutObject"] : "Edge${action}" => {
        Sid       = "Edge${action}"
        Effect    = "Allow"
        Principal = { Service = "cloudfront.amazonaws.com" }
        Action    = ["s3:${action}"]
        Resource  = ["arn:aws:s3:::bucket/in/*"]
        Condition = { StringEquals = { "aws:SourceArn" = "arn:aws:cloudfront::123456789012:distribution/EDGE" } }
    } }
    error_message = "This distribution, and no other, reads and writes blobs."
  }

  assert {
    condition     = jsondecode(aws_cloudfrontkeyvaluestore_key.switches[0].value) == { proof = "checksum", relay = false }
    error_message = "The edge function is told how bytes are proven, and that there is no relay."
  }

  assert {
    condition     = endswith(output.fill_keys, "AbCdEf --edge arn:aws:cloudfront::123456789012:key-value-store/01234567-89ab-cdef-0123-456789abcdef")
    error_message = "CloudFront gets the keys as well."
  }

  assert {
    condition     = length(aws_wafv2_web_acl.edge) == 0 && aws_cloudfront_distribution.edge[0].web_acl_id == null
    error_message = "AWS WAF costs money at rest, so it is off by default."
  }
}

run "cloudfront_with_a_certificate_of_ones_own_for_one_address" {
  command = plan

  variables {
    cloudfront        = true
    upload_proof      = "payload"
    allowed_addresses = ["198.51.100.7/32"]
    domain = {
      name            = "registry.example.com"
      certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/own"
    }
  }

  assert {
    condition = (
      one(aws_cloudfront_distribution.edge[0].viewer_certificate).acm_certificate_arn == var.domain.certificate_arn &&
      length(aws_acm_certificate.edge) + length(aws_route53_record.validation) + length(aws_route53_record.registry) == 0
    )
    error_message = "An existing certificate is used, and no record is written."
  }

  assert {
    condition     = output.dns_target.name == "d111111abcdef8.cloudfront.net" && output.dns_target.types == ["A", "AAAA"]
    error_message = "The output has the target of the name, for whoever manages the zone."
  }

  assert {
    condition     = [for rule in aws_wafv2_web_acl.edge[0].rule : rule.name] == ["allowed-addresses"]
    error_message = "A list of addresses needs no other rule."
  }

  assert {
    condition     = jsondecode(aws_cloudfrontkeyvaluestore_key.switches[0].value).proof == "payload"
    error_message = "A variable sets how bytes are proven."
  }
}

run "everything_in_front" {
  command = plan

  variables {
    cloudfront        = true
    waf               = true
    waf_version       = "Version_1.22"
    allowed_addresses = ["198.51.100.0/24", "2001:db8::/32"]
    access_logs       = true
    upload_proof      = "staging"
    domain            = { name = "registry.example.com", zone_id = "Z0123456789ABCDEFGHIJ" }
    relay = {
      image      = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/cloudberth/relay:1"
      vpc_id     = "vpc-0123456789abcdef0"
      subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
    }
  }

  assert {
    condition = alltrue([
      contains(aws_cloudwatch_log_delivery.edge[0].record_fields, "sc-status"),
      length(setintersection(
        aws_cloudwatch_log_delivery.edge[0].record_fields,
        ["cs-uri-stem", "cs-uri-query", "cs(Referer)", "cs(Cookie)"],
      )) == 0,
    ])
    error_message = "No path, query, referrer or cookie is logged: secrets stand in them."
  }

  assert {
    condition = alltrue([
      length(aws_acm_certificate.edge) == 1 && length(aws_acm_certificate.gateway) == 0,
      aws_cloudfront_distribution.edge[0].aliases == toset(["registry.example.com"]),
      one(aws_cloudfront_distribution.edge[0].viewer_certificate).minimum_protocol_version == "TLSv1.2_2021",
      keys(aws_route53_record.registry) == ["A", "AAAA"],
      length(aws_apigatewayv2_domain_name.registry) == 0,
    ])
    error_message = "The domain points to CloudFront."
  }

  assert {
    condition = {
      for rule in aws_wafv2_web_acl.edge[0].rule : rule.priority => rule.name
      } == {
      0 = "allowed-addresses"
      1 = "requests-by-address"
      2 = "AWSManagedRulesAmazonIpReputationList"
      3 = "AWSManagedRulesKnownBadInputsRuleSet"
    }
    error_message = "The rules are in order: allowed addresses, the rate limit, what AWS knows to be bad."
  }

  assert {
    condition = { for rule in aws_wafv2_web_acl.edge[0].rule : rule.name => flatten([
      for group in rule.statement[0].managed_rule_group_statement : [
        for scope in group.scope_down_statement : [
          for negated in scope.not_statement : [
            for match in negated.statement[0].byte_match_statement :
            [match.positional_constraint, match.search_string, length(match.field_to_match[0].uri_path)]
          ]
        ]
      ]
      ]) if length(rule.statement[0].managed_rule_group_statement) > 0 } == { for name in [
      "AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesKnownBadInputsRuleSet"
    ] : name => ["STARTS_WITH", "/v2/", 1] }
    error_message = "Layers and manifests are not searched for attacks, because they may contain anything."
  }

  assert {
    condition = [
      for rule in aws_wafv2_web_acl.edge[0].rule : length(rule.statement[0].rate_based_statement[0].scope_down_statement)
      if rule.name == "requests-by-address"
    ] == [0]
    error_message = "The rate limit holds for every path."
  }

  assert {
    condition = {
      for rule in aws_wafv2_web_acl.edge[0].rule :
      rule.name => join("", compact(rule.statement[0].managed_rule_group_statement[*].version))
      if rule.priority > 1
      } == {
      AWSManagedRulesAmazonIpReputationList = ""
      AWSManagedRulesKnownBadInputsRuleSet  = "Version_1.22"
    }
    error_message = "The version is pinned where AWS has versions."
  }

  assert {
    condition = alltrue([
      aws_wafv2_ip_set.allowed["IPV4"].addresses == toset(["198.51.100.0/24"]),
      aws_wafv2_ip_set.allowed["IPV6"].addresses == toset(["2001:db8::/32"]),
      aws_cloudfront_distribution.edge[0].web_acl_id == aws_wafv2_web_acl.edge[0].arn,
    ])
    error_message = "IPv4 and IPv6 addresses are allowed."
  }

  assert {
    condition = alltrue([
      contains([for origin in aws_cloudfront_distribution.edge[0].origin : origin.origin_id], "relay"),
      jsondecode(aws_cloudfrontkeyvaluestore_key.switches[0].value) == { proof = "staging", relay = true },
      aws_lb.relay[0].internal,
      aws_ecs_service.relay[0].desired_count == 1,
      !aws_ecs_service.relay[0].network_configuration[0].assign_public_ip,
      aws_ecs_task_definition.relay[0].task_role_arn == null,
      length(aws_vpc_security_group_ingress_rule.relay_balancer) == 1,
    ])
    error_message = "Only CloudFront reaches the relay, and the relay has no permissions in AWS."
  }

  assert {
    condition = [for container in jsondecode(aws_ecs_task_definition.relay[0].container_definitions) : [
      container.image, container.secrets[0].valueFrom, container.readonlyRootFilesystem
      ]] == [[
      "123456789012.dkr.ecr.eu-central-1.amazonaws.com/cloudberth/relay:1",
      "arn:aws:secretsmanager:eu-central-1:123456789012:secret:registry-keys-AbCdEf:relay::", true
    ]]
    error_message = "The relay gets one key of the secret, and nothing that it could write to."
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.relay[0].policy).Statement : join(",", statement.Action) => one(statement.Resource) } == {
      "logs:CreateLogStream,logs:PutLogEvents"       = "arn:aws:logs:eu-central-1:123456789012:log-group:group:*"
      "secretsmanager:GetSecretValue"                = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:registry-keys-AbCdEf"
      "ecr:GetAuthorizationToken"                    = "*"
      "ecr:BatchGetImage,ecr:GetDownloadUrlForLayer" = "arn:aws:ecr:eu-central-1:123456789012:repository/cloudberth/relay"
    }
    error_message = "What starts the relay reads its image, its key and nothing else; only the sign-in to ECR has no ARN."
  }

  assert {
    condition = alltrue([
      [for statement in jsondecode(aws_s3_bucket_policy.this["blobs"].policy).Statement : one(statement.Resource) if statement.Sid == "EdgePutObject"] == ["arn:aws:s3:::bucket/staging/*"],
      [for statement in jsondecode(aws_iam_role_policy.function["api_handler"].policy).Statement : statement.Condition if statement.Sid == "Find"] == [{ StringLike = { "s3:prefix" = ["in/*", "staging/*", "bodies/*"] } }],
      contains([for statement in jsondecode(aws_iam_role_policy.function["api_handler"].policy).Statement : statement.Resource if statement.Sid == "Bytes"][0], "arn:aws:s3:::bucket/staging/*"),
    ])
    error_message = "Bytes that S3 cannot prove are kept apart, where the registry may look."
  }

  assert {
    condition = [for rule in aws_s3_bucket_lifecycle_configuration.this["blobs"].rule : {
      prefix = rule.filter[0].prefix, days = rule.expiration[0].days
    } if rule.id == "staging"] == [{ prefix = "staging/", days = 2 }]
    error_message = "Objects that were never proven expire."
  }

  assert {
    condition     = aws_lambda_function.this["api_handler"].environment[0].variables.CLOUDBERTH_EDGE == "staging"
    error_message = "The function has the setting that bytes must be proven."
  }

  assert {
    condition = alltrue([
      aws_cloudwatch_log_delivery_source.edge[0].log_type == "ACCESS_LOGS",
      length(jsondecode(aws_s3_bucket_policy.this["logs"].policy).Statement) == 3,
    ])
    error_message = "CloudFront's access logs are in the same bucket as S3's."
  }
}
