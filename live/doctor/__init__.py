"""`crossmesh doctor`: measure each link of the chain from name to pod, explain the broken one."""
