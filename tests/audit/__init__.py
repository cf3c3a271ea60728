"""What is kept of what operators do."""
