"""The command line, one file a command: parse, call nasprof.api, print."""
