"""The compilers, composed of the parts that the features have."""
