"""Pure rules of a sale: no I/O, no clock, no settings."""
