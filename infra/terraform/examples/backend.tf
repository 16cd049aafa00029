# A backend for Terraform's state: copy this file beside main.tf, name your own bucket, and run `terraform init`.
# The state contains the names and addresses of all resources, and none of the registry's keys.
terraform {
  backend "s3" {
    bucket       = "example-terraform-state" # with versioning and encryption, and not the registry's own
    key          = "cloudberth/registry.tfstate"
    region       = "eu-central-1"
    use_lockfile = true # Terraform 1.10 and newer
  }
}
