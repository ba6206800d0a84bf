"""What the WorkChains of all areas share."""
