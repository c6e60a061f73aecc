"""What a routing decision costs, in CPU microseconds and as ratios of figures from the same run."""
