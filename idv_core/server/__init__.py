"""The service: REST API, webhooks, metrics and console over a ledger, in one process (extra `server`)."""
