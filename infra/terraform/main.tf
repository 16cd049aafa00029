# The values that the other files share. Each file has one concern; this one makes no resources.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition

  # Bucket names must be unique among all AWS accounts.
  bucket = "${var.name}-${local.account}-${var.region}"

  tags = merge({
    Application  = "cloudberth"
    Installation = var.name
    ManagedBy    = "terraform"
  }, var.tags)

  # Where clients reach the registry: the domain, else CloudFront, else the gateway.
  host = (
    var.domain != null ? var.domain.name :
    var.cloudfront ? aws_cloudfront_distribution.edge[0].domain_name :
    trimprefix(aws_apigatewayv2_api.registry.api_endpoint, "https://")
  )
  url = "https://${local.host}"
}
