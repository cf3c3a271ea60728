"""A rehearsal of an on-sale against a running server, and a check of its books afterwards."""
