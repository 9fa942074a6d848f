"""The scripts of deploy/ci in real programs: buildah, podman, syft and a registry; what cannot run here has a stand-in."""
