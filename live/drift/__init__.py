"""`crossmesh drift`: what is live against what was applied, over all layers. Nothing is changed."""
