"""Conventions: how other counters and tables count, one a file, found by their file."""
