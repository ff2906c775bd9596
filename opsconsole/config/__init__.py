"""Settings, and the wiring that builds the object graph once."""
