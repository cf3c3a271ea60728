from tests.processes import client, clock, process

__all__ = ["client", "clock", "process"]
