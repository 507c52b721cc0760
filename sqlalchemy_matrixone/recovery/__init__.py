"""Snapshots, point-in-time recovery and restore.

``what`` says which object, ``period`` how far back; ``ddl`` has the constructs, ``resolve`` what they learn
from a connection, ``catalog`` and ``values`` what is read back, ``helper`` runs it all on a Session.
"""
