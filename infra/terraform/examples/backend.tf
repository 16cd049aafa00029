# Where a team keeps Terraform's state: copy this file beside main.tf, name a bucket of your own, run `terraform init`.
# The state holds names and addresses of all that is made, and none of the registry's keys.
terraform {
  backend "s3" {
    bucket       = "example-terraform-state" # with versions and encryption, apart from the registry's own
    key          = "cloudberth/registry.tfstate"
    region       = "eu-central-1"
    use_lockfile = true # Terraform 1.10 and newer
  }
}
