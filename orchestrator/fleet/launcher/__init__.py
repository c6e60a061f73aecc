"""Model servers of this machine, started from the configuration, kept running, and stopped to the last process."""
