"""Pruning: one method a file, on top of surgery that all of them share."""
