"""Types: text and numbers to typed values, and what columns are for Arrow."""
