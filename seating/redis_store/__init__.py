"""Redis: the inventory of each open event and its log, reached through scripts that check first, then write."""
