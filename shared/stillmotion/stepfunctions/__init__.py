"""The state-machine boundary: execution input, tasks, executions."""
