# All that a first installation needs: terraform apply -var-file=examples/minimal.tfvars
name   = "registry"
region = "eu-central-1"
