"""The layer between a connection and a view: protocol, middleware, headers, access log, problem answers, probes."""
