"""kcw.x of Quantum ESPRESSO: Koopmans functionals by density-functional perturbation theory."""
