"""The single checks, one module per link of the chain. `operations.doctor.plan` puts them in order."""
