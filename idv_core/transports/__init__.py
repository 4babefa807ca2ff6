"""How a request reaches the vendor: httpx with a guarded pool, the quick transport, one proxy decision."""
