"""Tidegate: S3 objects of other people's buckets to rows of your tables, exactly once.

Read in this order: `errors`, `config` (what users declare), `core` (every decision, no I/O), `flows` (the verbs, and
`flows.ports`, what they ask for), then `aws`, `destinations` and `records`, which do the work, and `wiring`, which
joins them. `local` stands in for the cloud on one machine; `cli` is the command line.
"""
