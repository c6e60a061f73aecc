"""The OpenAPI document: what FastAPI makes of the routes' models, and here what the service reads and says itself."""
