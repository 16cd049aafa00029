"""What the house tells its operators: log lines as JSON, read in CloudWatch by field. No secret is ever a field."""

import time
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger

NAMESPACE = "Cloudberth"
logger = Logger(service="cloudberth")


def measured(installation: str, units: Mapping[str, str], **values: int) -> dict[str, Any]:
    """Fields that make a log line a measurement, too: CloudWatch reads metrics out of it, by installation.

    `units` has the unit of each metric, `values` what it is now.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    metrics = [{"Name": name, "Unit": unit} for name, unit in units.items()]
    directive = {"Namespace": NAMESPACE, "Dimensions": [["Installation"]], "Metrics": metrics}
    marks = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    return {"_aws": marks, "Installation": installation, **values}
