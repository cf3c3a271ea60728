"""A stand-in for the event partner, for machines without one."""
