"""The project's pages. `python -m docs` makes those of them that follow from code."""
