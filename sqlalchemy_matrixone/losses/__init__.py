"""What the server loses in a restore in addition to newer rows, and the statements that put it back."""
