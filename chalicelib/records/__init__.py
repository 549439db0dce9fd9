"""Bytes to Arrow batches: decoders, formats, rejects. No network, no clock."""
