"""`python -m nasprof` is `nasprof`."""

from nasprof.cli.main import run

if __name__ == "__main__":
    run()
