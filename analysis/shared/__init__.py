"""What several studies share: intervals, recordings, networks, rules."""
