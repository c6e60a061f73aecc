"""One reader of a public format a module, each with a function `read(path)`; found by name in the catalogue."""
