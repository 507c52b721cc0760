"""What all features stand on; it knows none of them."""
