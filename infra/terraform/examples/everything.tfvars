# All that can stand in front, for a team that runs a registry for others.
name        = "registry"
region      = "eu-central-1"
cloudfront  = true
waf         = true
access_logs = true

domain = {
  name    = "registry.example.com"
  zone_id = "Z0123456789ABCDEFGHIJ" # a public hosted zone of Route 53
}

# An office and a network of build machines. Everybody else is refused.
allowed_addresses = ["198.51.100.0/24", "2001:db8::/32"]

# For docker classic, podman, skopeo and crane, which send a layer in one request without a length.
relay = {
  image      = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/cloudberth/relay:1"
  vpc_id     = "vpc-0123456789abcdef0"
  subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
}

kms_key_arn              = "arn:aws:kms:eu-central-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
permissions_boundary_arn = "arn:aws:iam::123456789012:policy/developers"
versions_days            = 35
alarm_actions            = ["arn:aws:sns:eu-central-1:123456789012:pager"]
budget                   = { usd = 100, emails = ["platform@example.com"] }
throttle                 = { rate = 2000, burst = 4000 }
concurrency              = 200
settings                 = { CLOUDBERTH_PULL_LOG = "all" }
tags                     = { Team = "platform", CostCenter = "4711" }
