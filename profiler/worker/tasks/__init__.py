"""What a worker can do, one task a file: `run(arguments, send) -> result`."""
