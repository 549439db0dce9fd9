"""Text on its way to a format: charset, looking ahead, blocks of whole records."""
