"""The compilers, each composed of the parts that the features provide."""
