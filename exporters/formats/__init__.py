"""One format of a runtime a file; a format converts inside a worker process only."""
