"""The jail: what a child of the launcher gives up before untrusted code runs in it; standard library only.

``policy`` says what is wanted, ``world`` what all prisoners of one launcher share, ``enter`` how one goes in;
the other modules are one layer each.
"""
