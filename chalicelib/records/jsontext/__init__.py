"""JSON text: where its values begin and end, and how they become columns."""
