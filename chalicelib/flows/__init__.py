"""What the system does, one verb a file, on the ports it asks for."""
