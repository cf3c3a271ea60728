"""The event partner's stand-in, for machines on which there is no partner."""
