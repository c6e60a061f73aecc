"""What a decision costs, in CPU time as a multiple of a bare yardstick measured in the same run."""
