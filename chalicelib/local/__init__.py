"""The embedded AWS, and the runtime that stands in for Lambda on a laptop."""
