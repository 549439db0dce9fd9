"""The way into customers' accounts: whose credentials, over which wires, to which bytes."""
