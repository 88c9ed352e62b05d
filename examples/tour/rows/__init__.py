"""The rows, in the order in which the tour plays them."""

from examples.tour.rows import business, catalog, learning, streams
from examples.tour.scene import ROWS

__all__ = ["ROWS", "business", "catalog", "learning", "streams"]

ROWS.sort(key=lambda row: row.number)
