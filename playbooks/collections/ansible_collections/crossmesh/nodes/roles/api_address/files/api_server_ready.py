#!/usr/bin/python3 -I
"""Whether this node's API server is ready: ends with 0 if so. keepalived asks every other second.

It shows the certificate by which the API server itself asks kubelets, so that it is answered also where
nobody unknown is.
"""

import http.client
import ssl
import sys

PKI = "/etc/kubernetes/pki"
SECONDS = 3


def main() -> int:
    try:
        context = ssl.create_default_context(cafile=f"{PKI}/ca.crt")
        client = f"{PKI}/apiserver-kubelet-client"
        context.load_cert_chain(f"{client}.crt", f"{client}.key")
        # The certificate need not be for this name: whose it is says the authority.
        context.check_hostname = False
        port = int(sys.argv[1])
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=SECONDS, context=context)
        connection.request("GET", "/readyz")
        return 0 if connection.getresponse().status == 200 else 1
    except (OSError, http.client.HTTPException):
        return 1


if __name__ == "__main__":
    sys.exit(main())
