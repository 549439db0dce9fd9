"""What objects are packed in, told by content, undone as a stream. Start at `chain.decoded`."""
