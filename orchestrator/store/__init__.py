"""What outlives the process: decisions, feedback, use by day, and responses to go on from. SQLite or Postgres."""
