"""Pushing: the tick that evaluates once, the hub that sends to many, the consumer that speaks with one."""
