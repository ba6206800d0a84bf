"""Readers of Yambo's files: text or bytes in, records out; no aiida."""
