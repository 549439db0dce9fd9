"""IAM policies and what goes with them: what customers and operators paste, and what a session is narrowed down to."""
