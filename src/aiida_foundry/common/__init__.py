"""Units, enumerations and typed records shared by all layers; free of aiida."""
