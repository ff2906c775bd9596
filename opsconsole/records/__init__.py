"""The only Django models."""
