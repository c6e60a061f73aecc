"""Which experts are awake: tiers of memory, who leaves them, who comes early, and replay of traces. All of it pure."""
