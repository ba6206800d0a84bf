"""Yambo: GW and the Bethe-Salpeter equation at scale."""
