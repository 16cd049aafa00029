"""What the house tells its operators: log lines as JSON, read in CloudWatch by field. No secret is ever a field."""

from aws_lambda_powertools import Logger

logger = Logger(service="cloudberth")
