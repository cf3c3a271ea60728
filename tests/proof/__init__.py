"""Proof of the promise: what clients saw, compared with what the stores have in the end."""
