"""Readers of the files of Wannier90; text in, records out, free of aiida."""
