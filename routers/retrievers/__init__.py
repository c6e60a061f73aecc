"""Routing among retrievers: adapters on the query's side, and who is asked for a query. Knows vectors and grades."""
