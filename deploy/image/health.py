"""The image's health check: asks /health of this container's process. Exit code 0 when it answers 200.

Only the standard library, and nothing of the package: it starts every few seconds. A web listens on PORT, any other part on
METRICS_PORT; whichever answers is the one that runs here.
"""

import http.client
import os
import sys

TIMEOUT_S = 2.0


def is_healthy(port: int) -> bool | None:
    """Return whether /health on this port answers 200; None when nobody listens there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except ConnectionRefusedError:
        return None
    except OSError:
        return False
    finally:
        connection.close()


def main() -> int:
    """Ask the ports that a part of vote-app may listen on."""
    ports = (int(os.environ.get("PORT", "8080")), int(os.environ.get("METRICS_PORT", "9101")))
    answers = [answer for port in ports if (answer := is_healthy(port)) is not None]
    return 0 if answers and all(answers) else 1


if __name__ == "__main__":
    sys.exit(main())
