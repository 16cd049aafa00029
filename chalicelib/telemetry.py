"""The logger: log lines in JSON, whose fields CloudWatch can query. No field ever holds a secret."""

import time
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger

NAMESPACE = "Cloudberth"
logger = Logger(service="cloudberth")


def measured(installation: str, units: Mapping[str, str], **values: int) -> dict[str, Any]:
    """Returns fields by which CloudWatch extracts metrics from a log line, with the installation as their dimension.

    `units` has the unit of each metric, `values` its value.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    metrics = [{"Name": name, "Unit": unit} for name, unit in units.items()]
    directive = {"Namespace": NAMESPACE, "Dimensions": [["Installation"]], "Metrics": metrics}
    metadata = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    return {"_aws": metadata, "Installation": installation, **values}
