"""The types by which the engine knows the resources of this project's provider. Written here alone."""

from __future__ import annotations

ADMISSION = "crossmesh:kubernetes:Admission"
CERTIFICATE = "crossmesh:tls:Certificate"
CERTIFICATE_AUTHORITY = "crossmesh:tls:CertificateAuthority"
CLUSTER_IDENTITY = "crossmesh:kubernetes:ClusterIdentity"
CUSTOM_RESOURCE_DEFINITION = "crossmesh:kubernetes:CustomResourceDefinition"
ENCRYPTION_KEY = "crossmesh:kubernetes:EncryptionKey"
GIVEN_CERTIFICATE = "crossmesh:tls:GivenCertificate"
HOST_PHASE = "crossmesh:hosts:HostPhase"
NODE_TAINTS = "crossmesh:kubernetes:NodeTaints"
SERVICE_ACCOUNT_TOKEN = "crossmesh:kubernetes:ServiceAccountToken"
SIGNING_KEY = "crossmesh:tls:SigningKey"
TUNNEL_KEY = "crossmesh:network:TunnelKey"
