"""Learning from use: what was decided and how good it was, kept in a file, watched, reported on and trained from."""
