"""The image of vote/Dockerfile, built here and run in real containers: `make image-test`."""
