"""The service: takes queries, asks the routers, dispatches to experts and outlives their failures."""
