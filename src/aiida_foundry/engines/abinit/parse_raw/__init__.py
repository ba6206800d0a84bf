"""Readers of what ABINIT writes: text or bytes in, plain records and arrays out; no aiida."""
