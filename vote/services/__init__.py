"""What one process shares between requests: cache, rate limits, and the container that holds every pool and client."""
