"""WorkChains by scientific area."""
