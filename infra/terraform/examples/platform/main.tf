# A platform team's own module around this one: it has DNS and alarms, and this module has the registry.

variable "package" {
  description = "Directory of the package that `python -m infra.package --output` wrote."
  type        = string
}

variable "certificate_arn" {
  description = "Certificate of the registry's name, in us-east-1."
  type        = string
}

module "registry" {
  source = "../.."

  name       = "registry-prod"
  region     = "eu-central-1"
  build      = var.package
  cloudfront = true
  domain     = { name = "registry.example.com", certificate_arn = var.certificate_arn }
  tags       = { Team = "platform" }
}

provider "aws" {
  region = "eu-central-1"
}

data "aws_route53_zone" "example" {
  name = "example.com"
}

resource "aws_route53_record" "registry" {
  for_each = toset(module.registry.dns_target.types)

  zone_id = data.aws_route53_zone.example.zone_id
  name    = "registry.example.com"
  type    = each.key

  alias {
    name                   = module.registry.dns_target.name
    zone_id                = module.registry.dns_target.zone_id
    evaluate_target_health = false
  }
}

# Sends an alarm if a job has failed for good.
resource "aws_cloudwatch_metric_alarm" "dead" {
  for_each = module.registry.dead_queue_names

  alarm_name          = "registry-prod ${each.key} is dead"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = each.value }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
}

# Sends an alarm if timers fail repeatedly or run late; they run every minute.
resource "aws_cloudwatch_metric_alarm" "timers" {
  for_each = { TimersFailed = 0, TimersLateSeconds = 600 }

  alarm_name          = "registry-prod ${each.key}"
  namespace           = "Cloudberth"
  metric_name         = each.key
  dimensions          = { Installation = "registry-prod" }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 3
  threshold           = each.value
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
}
