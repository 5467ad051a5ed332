"""A cache of the test's own that still has the environments that a person installed."""

from profiler.environments._environment import folder_of


def keep_environments(cache):
    """Link the installed environments into another cache; called before it becomes the cache."""
    there = folder_of("any").parent
    (cache / "nasprof").mkdir(parents=True)
    if there.exists():
        (cache / "nasprof" / "environments").symlink_to(there)
