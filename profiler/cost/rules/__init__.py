"""Rules: one operator family a file, one function a rule."""
