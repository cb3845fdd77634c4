# shop: pkgs/cart/src/prices.py, do not edit

"""Adds up "prices"."""

# 1. No floats: {{ cents }}
# 2. Ünïcode

NAME = "cart.prices"