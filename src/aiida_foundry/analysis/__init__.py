"""Pure numerics on arrays: no aiida, no input or output."""
