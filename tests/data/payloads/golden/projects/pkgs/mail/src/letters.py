# shop: pkgs/mail/src/letters.py, do not edit

"""Writes letters."""


NAME = "mail.letters"