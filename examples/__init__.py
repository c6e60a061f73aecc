"""Examples that are packages."""
