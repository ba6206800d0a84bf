"""Quasiparticle band gaps from GW."""
