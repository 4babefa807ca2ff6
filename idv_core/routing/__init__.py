"""Which account serves this order, and why. Pure: time and health are given."""

from .buckets import bucket_of
from .route import Route, Shadow, When
from .table import Match, RoutingTable

__all__ = ["Match", "Route", "RoutingTable", "Shadow", "When", "bucket_of"]
