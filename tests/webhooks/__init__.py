"""Webhooks, told to real receivers that fail in every way."""
