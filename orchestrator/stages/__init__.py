"""The five stages of a request, one module each, in the order of the flow."""
