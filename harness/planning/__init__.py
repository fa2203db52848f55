"""From overrides on the command line to a list of fully described trials."""
