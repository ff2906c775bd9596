"""Start the parts of the demo in order, watch them, and end every process they made."""
