"""Rehearsals: a change or a runbook, tried on a scaled-down twin of the declared environment.

The twin stands on machines of the lab, which are driven by its own command alone. Nothing here connects to
what is declared: no address of it, no key and no secret of it gets into the twin.
"""
