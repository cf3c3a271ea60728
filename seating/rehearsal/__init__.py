"""Rehearses an on-sale against a running server, then checks its books."""
