"""A run: its folder, the slots that work through its trials, and the executors that start slots."""
