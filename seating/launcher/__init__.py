"""Starts every part of the system, supervises it, and stops it."""
