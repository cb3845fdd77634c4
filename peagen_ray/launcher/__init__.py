"""The launcher: a fork server beside a worker, from which every fresh process comes.

``client`` is the side that asks, ``server`` the side that forks; ``spec`` is what they say to each
other, ``framing`` the messages on a child's own channel.
"""
