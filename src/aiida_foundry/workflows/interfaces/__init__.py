"""Interfaces of crystals: screening for polar ones, and heterostructures."""
