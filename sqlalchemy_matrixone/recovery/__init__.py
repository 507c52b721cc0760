"""Snapshots, point-in-time recovery and restore.

``target`` specifies the object and ``pitr_range`` how far back a PITR reaches; ``constructs`` contains the constructs,
``resolve`` determines what they need from a connection, ``catalog`` and ``values`` read snapshots and PITRs, and
``session`` runs all of this on a Session.
"""
