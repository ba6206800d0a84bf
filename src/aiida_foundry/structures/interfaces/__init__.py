"""Interfaces of two crystals: atomic planes and terminations, superlattices and slabs."""
