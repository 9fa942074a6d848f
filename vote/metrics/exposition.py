"""Render metrics in Prometheus' text format."""

from collections.abc import Iterable

import prometheus_client
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vote.metrics.registry import REGISTRY

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _OwnMetrics(Collector):
    """A collector of what this process counts."""

    def collect(self) -> Iterable[Metric]:
        return REGISTRY.collect()


class MetricsPage:
    """The page of a process: its own metrics, or `sums` in their place where several processes are summed, and what
    `others` read when it is asked for.
    """

    def __init__(self, *others: Collector, sums: Collector | None = None) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, which nobody asks for
        self._registry = CollectorRegistry()
        for collector in (*others, sums or _OwnMetrics()):
            self._registry.register(collector)

    def text(self) -> bytes:
        """Return every metric."""
        return generate_latest(self._registry)


def gauge(name: str, text: str, value: float) -> Metric:
    """Return a gauge that was read just now."""
    return GaugeMetricFamily(name, text, value=value)


def counter(name: str, text: str, value: float) -> Metric:
    """Return a counter that was read just now. `name` is without `_total`."""
    return CounterMetricFamily(name, text, value=value)


def labelled(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    """Return a gauge with a series for each value of a label."""
    family = GaugeMetricFamily(name, text, labels=[label])
    for given, value in values:
        family.add_metric([given], value)
    return family
