variable "name" {
  description = "Name of this installation, with which the names of its resources begin, such as `registry` or `registry-test`. One account can have several installations with different names, also in several regions: roles and CloudFront's functions are named in the whole account."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.name) >= 3 && length(var.name) <= 24
    error_message = "name: ${var.name} has ${length(var.name)} characters, and it needs 3 to 24: a load balancer's name takes 32 with the suffix of this module, a bucket's 63 with account and region."
  }

  validation {
    condition     = can(regex("^[a-z0-9-]*$", var.name))
    error_message = "name: ${var.name} has other characters than lowercase letters, digits and hyphens: S3 takes no others in the name of a bucket."
  }

  validation {
    condition     = !can(regex("^[0-9-]|-$", var.name))
    error_message = "name: ${var.name} must begin with a letter and must not end in a hyphen: load balancers and log groups are named after it."
  }

  validation {
    condition     = !strcontains(var.name, "--")
    error_message = "name: ${var.name} has two hyphens in a row: S3 keeps such names for itself."
  }

  validation {
    condition = !anytrue([
      for prefix in ["xn--", "sthree-", "amzn-s3-demo-", "internal-", "aws-"] : startswith(var.name, prefix)
    ])
    error_message = "name: ${var.name} begins with what AWS keeps for itself: xn--, sthree- and amzn-s3-demo- (S3), internal- (load balancers), aws- (tags, log groups)."
  }
}

variable "region" {
  description = "AWS region of everything but CloudFront, such as eu-central-1."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[1-9]$", var.region))
    error_message = "region: ${var.region} is not the name of an AWS region, which looks like eu-central-1."
  }
}

variable "build" {
  description = "Directory of the package (`python -m infra.package` writes it): an absolute path, or a path relative to this module."
  type        = string
  default     = "build"
  nullable    = false

  validation {
    condition = alltrue([
      for file in ["chalice.tf.json", "package.json"] :
      fileexists("${startswith(var.build, "/") ? "" : "${path.module}/"}${var.build}/${file}")
    ])
    error_message = "build: there is no package in ${var.build}. Run `python -m infra.package` first."
  }

  validation {
    condition = try([
      for package in [jsondecode(file("${startswith(var.build, "/") ? "" : "${path.module}/"}${var.build}/package.json"))] :
      package.sha256 == filesha256("${startswith(var.build, "/") ? "" : "${path.module}/"}${var.build}/${package.file}")
    ][0], false)
    error_message = "build: the zip in ${var.build} is not the one that its package.json was written for. Run `python -m infra.package` again."
  }

  validation {
    condition = try(alltrue([
      for function in values(jsondecode(file("${startswith(var.build, "/") ? "" : "${path.module}/"}${var.build}/package.json")).functions) :
      function.memory_size > 128 && (function.handler != "app.app" || function.timeout <= 29)
    ]), true)
    error_message = "build: a function in ${var.build} has chalice's own 128 MB, or the API more than 29 s, after which the gateway has left. Set lambda_memory_size and lambda_timeout in .chalice/config.json."
  }
}

variable "architecture" {
  description = "Processor of the functions: arm64 (cheaper) or x86_64. The package must be built for it."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture: ${var.architecture} is neither arm64 nor x86_64: Lambda has no other processors."
  }

  validation {
    condition = try(
      jsondecode(file("${startswith(var.build, "/") ? "" : "${path.module}/"}${var.build}/package.json")).architecture == var.architecture,
      true
    )
    error_message = "architecture: the package in ${var.build} is built for another processor than ${var.architecture}, on which it would not start. Run `python -m infra.package --arch ${var.architecture}`, or set architecture."
  }
}

locals {
  # The settings that only an operator knows, with the rules of chalicelib/settings.py (`python -m infra.setting_rules`
  # writes them). The others are set from the resources of this module.
  setting_rules         = jsondecode(file("${path.module}/settings.json"))
  settings_of_operators = sort(keys(local.setting_rules))
}

variable "settings" {
  description = "Further settings of the registry by their names in docs/settings.md: { CLOUDBERTH_PULL_LOG = \"all\" }. Settings that name the module's resources cannot be set."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setsubtract(keys(var.settings), local.settings_of_operators)) == 0
    error_message = "settings: ${join(", ", setsubtract(keys(var.settings), local.settings_of_operators))} cannot be set here. What can: ${join(", ", local.settings_of_operators)}."
  }

  validation {
    condition = alltrue([
      for name, value in var.settings : can(regex(local.setting_rules[name].pattern, value))
      if contains(local.settings_of_operators, name)
    ])
    error_message = "settings: ${join("; ", [
      for name, value in var.settings : "${name} = ${value} (it takes ${try(local.setting_rules[name].says, "")})"
      if try(!can(regex(local.setting_rules[name].pattern, value)), false)
    ])}. The registry would refuse every request."
  }

  validation {
    condition = try(
      tonumber(lookup(var.settings, "CLOUDBERTH_GRACE_S", local.setting_rules.CLOUDBERTH_GRACE_S.default)) >
      tonumber(lookup(var.settings, "CLOUDBERTH_PRESIGN_S", local.setting_rules.CLOUDBERTH_PRESIGN_S.default)),
      true
    )
    error_message = "settings: CLOUDBERTH_GRACE_S must exceed CLOUDBERTH_PRESIGN_S, or an address outlives its bytes."
  }
}

variable "domain" {
  description = "Host name of the registry. With zone_id (a public hosted zone of Route 53) the certificate and the records are made; with certificate_arn that certificate is used, and the output dns_target has the target of the name. With CloudFront the certificate must be in us-east-1."
  type = object({
    name            = string
    zone_id         = optional(string)
    certificate_arn = optional(string)
  })
  default = null

  validation {
    condition     = var.domain == null || can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain.name))
    error_message = "domain: ${try(var.domain.name, "")} is not a host name in lowercase, such as registry.example.com: image names take no uppercase letters and no scheme."
  }

  validation {
    condition     = var.domain == null || try(var.domain.zone_id, null) != null || try(var.domain.certificate_arn, null) != null
    error_message = "domain: ${try(var.domain.name, "")} needs zone_id, so that a certificate can be made, or the certificate_arn of an existing one."
  }

  validation {
    condition = try(var.domain.certificate_arn, null) == null || can(regex(
      "^arn:aws[a-z-]*:acm:${var.cloudfront ? "us-east-1" : var.region}:[0-9]{12}:certificate/",
      var.domain.certificate_arn
    ))
    error_message = "domain: ${coalesce(try(var.domain.certificate_arn, null), "-")} is not a certificate in ${var.cloudfront ? "us-east-1, where CloudFront looks for them" : "${var.region}, where the gateway looks for them"}."
  }
}

variable "cloudfront" {
  description = "Puts CloudFront in front: one PUT of up to 5 GB goes directly to S3, and CloudFront caches downloads. Without it bodies have at most 4 MiB."
  type        = bool
  default     = false
  nullable    = false
}

variable "upload_proof" {
  description = "How S3 is told the digest of what CloudFront writes: checksum (x-amz-checksum-sha256), payload (x-amz-content-sha256), or staging, where S3 is not told and the registry must check the bytes. `make smoke` says which one works."
  type        = string
  default     = "checksum"
  nullable    = false

  validation {
    condition     = contains(["checksum", "payload", "staging"], var.upload_proof)
    error_message = "upload_proof: ${var.upload_proof} is none of checksum, payload, staging."
  }
}

variable "waf" {
  description = "Puts AWS WAF in front of CloudFront. It limits the requests of each address (waf_requests), and outside `/v2/` blocks known bad addresses and inputs (waf_version). Costs about 8 USD a month."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.waf || var.cloudfront
    error_message = "waf needs cloudfront = true: AWS WAF cannot stand before an HTTP API."
  }
}

variable "waf_requests" {
  description = "Requests that one address may make in five minutes before WAF answers 403. Many people may share an address."
  type        = number
  default     = 20000
  nullable    = false

  validation {
    condition     = var.waf_requests >= 10 && var.waf_requests <= 2000000000
    error_message = "waf_requests: ${var.waf_requests} is not within 10 to 2,000,000,000, which is what AWS WAF takes."
  }
}

variable "waf_version" {
  description = "Version of AWSManagedRulesKnownBadInputsRuleSet, such as Version_1.22; null: AWS's default version, which AWS changes by itself. AWS expires versions. List them: aws wafv2 list-available-managed-rule-group-versions --vendor-name AWS --name AWSManagedRulesKnownBadInputsRuleSet --scope CLOUDFRONT --region us-east-1"
  type        = string
  default     = null

  validation {
    condition     = var.waf_version == null || can(regex("^Version_[0-9]+\\.[0-9]+$", var.waf_version))
    error_message = "waf_version: ${coalesce(var.waf_version, "-")} is not the name of a version, which looks like Version_1.22."
  }

  validation {
    condition     = var.waf_version == null || var.waf
    error_message = "waf_version needs waf = true: without it there is no rule group."
  }
}

variable "allowed_addresses" {
  description = "Addresses, in CIDR notation, that may reach the registry; if it is empty, all may. Other addresses get 403 from AWS WAF, and the gateway's default host refuses all requests."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.allowed_addresses) == 0 || var.cloudfront
    error_message = "allowed_addresses needs cloudfront = true: an HTTP API cannot refuse addresses, AWS WAF before CloudFront can."
  }

  validation {
    condition     = alltrue([for range in var.allowed_addresses : can(cidrhost(range, 0)) && !endswith(range, "/0")])
    error_message = "allowed_addresses: ${join(", ", [for range in var.allowed_addresses : range if !can(cidrhost(range, 0)) || endswith(range, "/0")])} is not what AWS WAF takes: CIDR notation such as 198.51.100.0/24 or 2001:db8::/32, and never /0."
  }
}

variable "relay" {
  description = "Runs the upload relay on Fargate, for docker classic, podman, skopeo and crane: image (built from relay/Containerfile), and the VPC and subnets of its tasks, with a route to S3 and the gateway. Costs about 25 USD a month."
  type = object({
    image            = string
    vpc_id           = string
    subnet_ids       = list(string)
    assign_public_ip = optional(bool, false) # the route to the internet if the subnets have no NAT gateway
    architecture     = optional(string, "ARM64")
    cpu              = optional(number, 256)
    memory           = optional(number, 512)
    tasks            = optional(number, 1)
  })
  default = null

  validation {
    condition     = var.relay == null || var.cloudfront
    error_message = "relay needs cloudfront = true: CloudFront tells bodies for the relay from all others."
  }

  validation {
    condition     = var.relay == null || length(distinct(try(var.relay.subnet_ids, []))) >= 2
    error_message = "relay: subnet_ids needs two subnets in different zones, or the load balancer is refused."
  }

  validation {
    condition     = var.relay == null || contains(["ARM64", "X86_64"], try(var.relay.architecture, ""))
    error_message = "relay: architecture ${try(var.relay.architecture, "")} is neither ARM64 nor X86_64, in Fargate's own spelling."
  }
}

variable "kms_key_arn" {
  description = "KMS key that encrypts table, bucket, secret, queues, topic, logs and function settings; null: AWS's own keys of each service. Its policy must let this account use it, logs.REGION.amazonaws.com (logs), and with CloudFront cloudfront.amazonaws.com (kms:Decrypt and kms:GenerateDataKey, on condition of the distribution's ARN)."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:${var.region}:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn: ${coalesce(var.kms_key_arn, "-")} is not the ARN of a key (not of an alias) in ${var.region}."
  }
}

variable "deletion_protection" {
  description = "If it is false, `terraform destroy` deletes the table, the bucket with its content, and the keys at once and irreversibly."
  type        = bool
  default     = true
  nullable    = false
}

variable "versions_days" {
  description = "How many days the bucket keeps the bytes that the registry deletes, so that a restored table finds them again; they are billed meanwhile. 35 covers all of point-in-time recovery. 0 keeps none, and removes what earlier values kept within a day or two."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.versions_days >= 0 && var.versions_days <= 3650 && floor(var.versions_days) == var.versions_days
    error_message = "versions_days: ${var.versions_days} is not a whole number of days within 0 to 3,650."
  }
}

variable "table" {
  description = "Name of the table; null: `name`. It is set after a restore, since DynamoDB restores into a new table only, which must be imported in place of the old one first: otherwise Terraform would make an empty table and delete the old one."
  type        = string
  default     = null

  validation {
    condition     = var.table == null || can(regex("^[a-zA-Z0-9_.-]{3,255}$", var.table))
    error_message = "table: ${coalesce(var.table, "-")} is not what DynamoDB takes: 3 to 255 letters, digits, hyphens, dots and underscores."
  }
}

variable "paused" {
  description = "Stops schedules, the table's stream and queues, so that no bytes are deleted, nothing expires and no mirror runs. Clients are served as before."
  type        = bool
  default     = false
  nullable    = false
}

variable "throttle" {
  description = "What the gateway lets through, over all clients, before it answers 429: `rate` requests a second on average, `burst` at once. It bounds what somebody in a loop can spend."
  type = object({
    rate  = optional(number, 500)
    burst = optional(number, 2000)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.throttle.rate >= 1 && var.throttle.burst >= 1 && var.throttle.rate <= 10000 && var.throttle.burst <= 10000
    error_message = "throttle: rate ${var.throttle.rate} and burst ${var.throttle.burst} are not within 1 to 10,000: an account in a region has 10,000 requests a second unless AWS raises it."
  }
}

variable "concurrency" {
  description = "How many requests the API may answer at the same time; others wait or get 429. It is reserved, so that other functions of the account cannot use it. Null: the account's, which is 1,000, but 10 in a new account."
  type        = number
  default     = null

  validation {
    condition     = var.concurrency == null || try(var.concurrency >= 1, false)
    error_message = "concurrency: ${coalesce(var.concurrency, 0)} would refuse every request; null takes the account's."
  }
}

variable "tracing" {
  description = "Sends a trace of requests to AWS X-Ray, which bills each."
  type        = bool
  default     = false
  nullable    = false
}

variable "platform_logs" {
  description = "Keeps the lines that Lambda itself writes for each invocation. `make smoke` reads cold starts from them (C6)."
  type        = bool
  default     = false
  nullable    = false
}

variable "budget" {
  description = "Mails to `emails` when the account's bill of a month passes `usd` for what has the tag Application = cloudberth, or is forecast to. The tag must be activated as a cost allocation tag, or the budget sees nothing."
  type = object({
    usd    = number
    emails = list(string)
  })
  default = null

  validation {
    condition     = var.budget == null || try(var.budget.usd > 0 && length(var.budget.emails) > 0 && length(var.budget.emails) <= 10, false)
    error_message = "budget: usd must be above 0, and emails has 1 to 10 addresses: AWS takes no others."
  }
}

variable "alarm_actions" {
  description = "Whom alarms tell, such as [\"arn:aws:sns:eu-central-1:123456789012:pager\"]; CloudWatch takes ARNs of topics and others. Without one, no alarm is made: each costs 0.10 USD a month after the first ten of an account."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.alarm_actions) <= 5 && alltrue([for arn in var.alarm_actions : can(regex("^arn:aws[a-z-]*:", arn))])
    error_message = "alarm_actions: ${join(", ", var.alarm_actions)} is not what CloudWatch takes: up to 5 ARNs."
  }
}

variable "alarm_bucket_gb" {
  description = "The size of the bucket, in GB, above which an alarm tells of it."
  type        = number
  default     = 1000
  nullable    = false
}

variable "alarm_bucket_growth_gb" {
  description = "By how many GB the bucket may grow in a day before an alarm tells of it."
  type        = number
  default     = 100
  nullable    = false
}

variable "access_logs" {
  description = "Keeps the access logs of S3 and CloudFront in a separate bucket for log_retention_days; CloudFront's have no paths, S3's have. The gateway's are always kept, in CloudWatch."
  type        = bool
  default     = false
  nullable    = false
}

variable "log_retention_days" {
  description = "How many days logs are kept."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days: CloudWatch does not take ${var.log_retention_days}, but 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of every role, if the account requires one."
  type        = string
  default     = null
}

variable "tags" {
  description = "More tags for all resources."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = !anytrue([for key in keys(var.tags) : startswith(lower(key), "aws:")])
    error_message = "tags: ${join(", ", [for key in keys(var.tags) : key if startswith(lower(key), "aws:")])} begins with aws:, which AWS keeps for itself."
  }
}
