"""The job: its record, its store, its indexes, what it spends."""
