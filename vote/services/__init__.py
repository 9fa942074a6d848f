"""Services that one process shares between requests: cache, rate limits, and the container of all pools and clients."""
