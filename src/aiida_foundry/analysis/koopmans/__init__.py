"""Koopmans-integer corrections at second order, on site, in plane waves.

The method is that of N. Colonna, R. De Gennaro, E. Linscott and N. Marzari, J. Chem. Theory Comput. 18, 5435 (2022),
for spin-degenerate insulators with norm-conserving pseudopotentials. Instead of self-consistent linear response it sums
over states, and solves the Dyson equation variationally. Energies are in rydberg with e² = 2, lengths in bohr.
"""
