"""Whether conversations keep their expert through loops of tools and move with their subject."""
