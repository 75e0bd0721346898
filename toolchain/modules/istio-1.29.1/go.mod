module tools/istio-1.29.1

go 1.26

require istio.io/istio v0.0.0-20260306174214-6991a379e1fc
