"""What a run leaves on the disk: its directory, checkpoints, records and curves."""
