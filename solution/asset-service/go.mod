module crossmesh/asset-service

go 1.24
