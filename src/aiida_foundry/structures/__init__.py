"""Crystal structures: import, prototypes and their transformations."""
