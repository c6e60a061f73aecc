"""What a conversation says of its latest request: harness text, turns, sessions. Knows no router and no expert."""
