"""The suites: one module a question that is asked of routing. They print nothing and read no files."""
