"""`python -m orchestrator.config` prints the table of keys that the README holds."""

from orchestrator.config.reference import key_table

print(key_table())  # noqa: T201 - its purpose
