"""Wannier90: maximally localised Wannier functions."""
