# Where the keys lie that sign and seal. Terraform makes the place only, because what it makes it writes into its state:
# `python -m infra.secrets put` makes the keys (output `fill_keys`), and `rotate` new ones.

resource "aws_secretsmanager_secret" "keys" {
  #checkov:skip=CKV2_AWS_57:`python -m infra.secrets rotate` tells functions and edge in an order that no schedule of the service's own knows.
  name                    = "${var.name}-keys"
  description             = "Keys of ${var.name}: tokens, uploads, envelope, relay, origin. Written by python -m infra.secrets"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.deletion_protection ? 30 : 0
}
