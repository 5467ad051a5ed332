"""The torch networks of the spaces; imported only when a network is built."""
