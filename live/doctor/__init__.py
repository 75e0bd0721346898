"""`crossmesh doctor`: measure every link of the chain from the name to the pod, and explain the one that is
broken.
"""
