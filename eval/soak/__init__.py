"""The service under faults for a long time: whether each stream ends as promised, and memory and sockets stay flat."""
