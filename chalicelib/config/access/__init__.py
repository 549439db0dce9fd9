"""Ways into customers' accounts, as documents."""
