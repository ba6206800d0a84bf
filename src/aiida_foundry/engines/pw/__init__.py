"""pw.x of Quantum ESPRESSO: what aiida-quantumespresso leaves to do."""
