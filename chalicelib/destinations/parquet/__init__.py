"""Plain Parquet datasets: what is in them, how runs replace it, what is read, and what the Glue catalogue is told."""
