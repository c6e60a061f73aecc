"""How much drafts agree: one interface, several measures. A plan's rule names the one that is used."""
