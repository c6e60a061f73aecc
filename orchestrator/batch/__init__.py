"""Offline work: requests from a file of lines, their answers into another, to be gone on with after any end."""
