"""Metrics, as lines of the log in CloudWatch's Embedded Metric Format: CloudWatch Logs makes metrics of them."""

import json
import sys
from collections.abc import Mapping

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

COUNT, MILLISECONDS, BYTES = MetricUnit.Count, MetricUnit.Milliseconds, MetricUnit.Bytes


def emit(namespace: str, dimensions: Mapping[str, str], measured: Mapping[str, tuple[MetricUnit, float]]) -> None:
    """Write one line; none where the namespace is ""."""
    if not namespace:
        return
    metrics = EphemeralMetrics(namespace=namespace, service="dicomweb")
    for name, value in dimensions.items():
        metrics.add_dimension(name, value)
    for name, (unit, amount) in measured.items():
        metrics.add_metric(name, unit, amount)
    sys.stdout.write(json.dumps(metrics.serialize_metric_set()) + "\n")
