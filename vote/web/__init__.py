"""The Flask app: pages, administration and API. The front door handles voting and live results."""
