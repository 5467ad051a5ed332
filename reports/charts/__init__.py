"""Charts as SVG text, one kind a file."""
