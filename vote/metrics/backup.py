"""Metrics of the part that makes backups. Times of backups are read from PostgreSQL, by the web."""

from prometheus_client import Gauge

from vote.metrics.registry import REGISTRY

WAL_STREAM_UP = Gauge("vote_wal_stream_up", "Whether the WAL is streamed to the backup folder.", registry=REGISTRY)
