"""The command line: run the whole system or one part, and inspect the books."""
