"""The seat map in a real browser, on a shop's page of another origin."""
