"""The platform's own policies, on Pulumi's policy SDK, one idea per module.

`__main__.py` makes a policy pack of them for the engine. `crossmesh gate` calls the very same objects itself:
without a process of their own they take a fraction of the time, and what is known only when a change is
applied is said to be so instead of being passed over.
"""
