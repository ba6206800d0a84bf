"""Readers of what the executable takes and of what it writes; free of aiida."""
