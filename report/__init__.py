"""What an examination found, and the forms in which it is told."""
