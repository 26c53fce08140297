"""A game day: every alarm is fired on a local cloud, its mail is read, and its runbook section is followed."""
