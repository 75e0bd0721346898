"""What all unit tests share."""

import os

# gRPC makes a process ready for forks, which the tests' own forks never ask for: some of their children ended
# before their program began, where another test of the same process had used the engine's SDK.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
