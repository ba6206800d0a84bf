"""Polar interfaces of insulators: bound charge, critical thickness, who is an insulator, which candidates are best."""
