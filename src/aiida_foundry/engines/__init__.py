"""Calculations and parsers of executables that have no maintained AiiDA plugin."""
