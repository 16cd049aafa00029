# A mail when the month's bill passes what the operator expects. AWS Budgets is free for the first two budgets of an account.

resource "aws_budgets_budget" "this" {
  count    = var.budget == null ? 0 : 1
  provider = aws.global

  name         = var.name
  budget_type  = "COST"
  limit_amount = tostring(var.budget.usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  cost_filter {
    name   = "TagKeyValue"
    values = [format("user:Installation$%s", var.name)]
  }

  dynamic "notification" {
    for_each = toset(["ACTUAL", "FORECASTED"])
    content {
      notification_type          = notification.key
      comparison_operator        = "GREATER_THAN"
      threshold                  = 100
      threshold_type             = "PERCENTAGE"
      subscriber_email_addresses = var.budget.emails
    }
  }
}
