"""The command line: the whole system, each of its parts alone, and the books."""
