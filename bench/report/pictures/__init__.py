"""report.pictures."""
