# The secret with the keys that sign and seal. Terraform makes only the empty secret, because it would write the keys into
# its state: `python -m infra.secrets put` makes the keys (output `fill_keys`), and `rotate` makes new ones.

resource "aws_secretsmanager_secret" "keys" {
  #checkov:skip=CKV2_AWS_57:`python -m infra.secrets rotate` updates functions and CloudFront in an order that Secrets Manager's own rotation cannot keep.
  name                    = "${var.name}-keys"
  description             = "Keys of ${var.name}: tokens, uploads, envelope, relay, origin. Written by python -m infra.secrets"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.deletion_protection ? 30 : 0
}
