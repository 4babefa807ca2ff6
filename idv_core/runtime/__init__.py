"""What belongs to the process: forks, event loops, signals, side threads."""
