"""Which account gets an order, and why. Pure: time and health are arguments."""

from .buckets import bucket_of
from .route import Route, Shadow, When
from .table import Match, RoutingTable

__all__ = ["Match", "Route", "RoutingTable", "Shadow", "When", "bucket_of"]
