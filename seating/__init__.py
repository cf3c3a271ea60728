"""The backend of a ticket on-sale."""

__version__ = "0.1.0"
