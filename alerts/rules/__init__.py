"""The alerts, a file for each family."""
