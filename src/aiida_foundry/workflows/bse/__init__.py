"""Optical spectra and excitons from the Bethe-Salpeter equation."""
