"""What operators see of the system: metrics, alerts, the dashboard."""
