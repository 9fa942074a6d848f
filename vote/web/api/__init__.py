"""The JSON API, its models and its OpenAPI document."""
