"""Environments of their own for libraries that clash with others: one a file, with its pins."""
