"""What the gate costs beside plain `pulumi preview` of the same stack, for platforms of growing size."""
