"""Container images for a lab without a registry, as docker-archive bundles built from the toolchain."""
