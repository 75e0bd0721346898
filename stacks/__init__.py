"""Stack files, and the typed model that they are read into. The only code that reads configuration."""
