"""What `make` runs and the application never imports."""
