"""Checks of an installation, each with a finding and what to change."""
