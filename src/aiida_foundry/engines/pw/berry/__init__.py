"""Berry-phase polarization by pw.x: a fixed-potential run with `lberry` on strings of k-points."""
