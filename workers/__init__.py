"""Background processes: the RQ worker with its jobs, and the cron."""
