"""pp.x of Quantum ESPRESSO; its calculation is that of aiida-quantumespresso."""
