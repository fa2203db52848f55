"""The committed leaderboards of `results/`: adding an entry, reading and checking what is there."""
