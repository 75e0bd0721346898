"""The single checks, one module per link of the chain. `live.doctor.plan` puts them in order."""
