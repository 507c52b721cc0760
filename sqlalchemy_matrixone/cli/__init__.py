"""The command line: thin commands over :class:`~sqlalchemy_matrixone.Recovery`. Needs the extra ``cli``."""
