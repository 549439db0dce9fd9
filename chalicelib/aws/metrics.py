"""Metrics as CloudWatch's embedded metric format: one line of JSON per set of dimensions and handler call."""

from dataclasses import dataclass, field

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

NAMESPACE = "Tidegate"

Dimensions = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class EmfMetrics:
    """Gathers values until `flush`, which every handler calls when it ends."""

    values: dict[Dimensions, list[tuple[str, MetricUnit, float]]] = field(default_factory=dict)

    def count(self, name: str, value: float, **dimensions: str) -> None:
        """Add to a number of things."""
        self._add(name, MetricUnit.Count, value, dimensions)

    def seconds(self, name: str, value: float, **dimensions: str) -> None:
        """Record one duration."""
        self._add(name, MetricUnit.Seconds, value, dimensions)

    def _add(self, name: str, unit: MetricUnit, value: float, dimensions: dict[str, str]) -> None:
        self.values.setdefault(tuple(sorted(dimensions.items())), []).append((name, unit, value))

    def flush(self) -> None:
        """Print what was gathered, and forget it."""
        for dimensions, values in self.values.items():
            metrics = EphemeralMetrics(namespace=NAMESPACE, service="tidegate")
            for name, value in dimensions:
                metrics.add_dimension(name, value)
            for metric, unit, number in values:
                metrics.add_metric(metric, unit, number)
            metrics.flush_metrics()
        self.values.clear()
