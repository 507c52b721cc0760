"""The command line: thin commands over :class:`~sqlalchemy_matrixone.Recovery`. Requires the extra ``cli``."""
