# Values that are refused before anything is made; tests/infra/test_terraform.py checks each sentence.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

mock_provider "aws" {
  alias           = "global"
  source          = "./tests/mocks"
  override_during = plan
}

run "bad_input" {
  command = plan

  variables {
    name               = "Registry"
    build              = "tests/builds/api"
    architecture       = "x86_64"
    settings           = { CLOUDBERTH_TABLE = "another" }
    domain             = { name = "https://registry.example.com" }
    upload_proof       = "trust"
    waf                = true
    waf_requests       = 1
    allowed_addresses  = ["0.0.0.0/0"]
    relay              = { image = "relay", vpc_id = "vpc-1", subnet_ids = ["subnet-1"] }
    kms_key_arn        = "alias/registry"
    log_retention_days = 42
    versions_days      = -1
    table              = "a table"
    tags               = { "aws:owner" = "us" }
  }

  expect_failures = [
    var.name, var.architecture, var.settings, var.domain, var.upload_proof, var.waf,
    var.waf_requests, var.allowed_addresses, var.relay, var.kms_key_arn, var.log_retention_days, var.tags,
    var.versions_days, var.table,
  ]
}
