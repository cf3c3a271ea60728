"""Other people's HTTP services."""
