"""Readers of the output of kcw.x; text in, records out, free of aiida."""
