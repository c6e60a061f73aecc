"""The service under requests and upstream streams that nobody should send: does each end well, and the process live."""
