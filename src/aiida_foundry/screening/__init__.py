"""Jobs that are known by their content, so that none is computed twice."""
