"""The shipped compose.yaml and scripts of deploy/compose, with the real Docker Compose over podman: `make deploy-test`."""
