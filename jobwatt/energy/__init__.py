"""Pure functions: counters, integration, attribution, accounting, units."""
