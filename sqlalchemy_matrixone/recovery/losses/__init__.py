"""What the server loses in a restore besides what was written since, and the statements that put it back."""
