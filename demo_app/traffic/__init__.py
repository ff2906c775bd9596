"""Visitors of the shop: how many come at which time of the day, and what they do."""
