"""The common base of all features, which does not depend on any of them."""
