# shop: pkgs/cart/src/items.py, do not edit

"""Holds {{ items }}."""


NAME = "cart.items"