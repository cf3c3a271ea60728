"""The live feed, by clients of its own over real sockets."""
