"""The fan-out of one process: what the logs tell, to the sockets that are open here."""
