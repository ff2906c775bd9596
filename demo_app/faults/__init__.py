"""Real faults that can be switched on: each one breaks the shop the way production breaks."""
