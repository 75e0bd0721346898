"""What is: the doctor, drift and status."""
