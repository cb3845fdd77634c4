# shop: pkgs/cart/src/prices.py, do not edit

"""Adds up prices."""


NAME = "cart.prices"