"""From a fresh machine to a working profile: computer, codes and pseudopotentials."""
