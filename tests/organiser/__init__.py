"""What the organiser does to seats."""
