"""HTTP services of third parties."""
