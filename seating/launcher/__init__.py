"""The whole system from one command: starts every part, watches it, and stops it."""
