"""The person's door: pages."""
