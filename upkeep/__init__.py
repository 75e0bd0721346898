"""Keeping the catalogue: which newer releases there are, a new release's file and module, what differs.

`python -m releases` is its command. The catalogue lies at the bottom of the house and needs nothing but the
standard library; what makes a file of it renders charts as components do, so it stands at the top.
"""
