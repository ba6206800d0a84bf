"""Koopmans functionals: Wannier functions, screening, corrected energies."""
