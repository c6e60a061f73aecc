"""What stands between the flow and the experts' servers: the registry of experts, and breakers."""
