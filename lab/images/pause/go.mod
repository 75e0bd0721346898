module crossmesh/pause

go 1.24
