# shellcheck shell=sh
# What the scripts of this folder share. They start in any folder and work in the repository's; they read the environment,
# never a configuration file, and print what they do. Exit codes: 0 done, 1 refused or failed, 2 called wrongly.
#
#   CI_FOLDER   where images, bills of materials and reports are handed from step to step (build/ci)
#   TARGETS     stages of the Dockerfile that become images (production backup)
#   ENGINE      buildah (with podman) or docker; by default the first that is there

here=$(cd "$(dirname "$0")/../.." && pwd)
cd "$here" || exit
CI_FOLDER=${CI_FOLDER:-build/ci}
TARGETS=${TARGETS:-production backup}
# shellcheck disable=SC2034  # the scripts use it
LOCAL=localhost/vote-ci # what images are called on the machine that builds them

say() { printf '%s\n' "$*"; }

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# need VARIABLE MEANING: end when a setting is missing.
need() {
  eval "value=\${$1:-}"
  [ -n "$value" ] || {
    printf '%s: set %s: %s\n' "${0##*/}" "$1" "$2" >&2
    exit 2
  }
}

# have PROGRAM…: end when a program is missing.
have() {
  for program; do
    command -v "$program" >/dev/null || die "$program is missing."
  done
}

engine() {
  if [ -n "${ENGINE:-}" ]; then
    echo "$ENGINE"
  elif command -v buildah >/dev/null && command -v podman >/dev/null; then
    echo buildah
  elif command -v docker >/dev/null; then
    echo docker
  else
    die "neither buildah with podman nor docker is here."
  fi
}

# output NAME VALUE: for the next steps of a workflow, and for the reader.
output() {
  say "$1=$2"
  [ -z "${GITHUB_OUTPUT:-}" ] || printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"
}

# digest TEXT: end unless it is one. A tag may point elsewhere tomorrow.
digest() {
  printf '%s\n' "$1" | grep -Eqx 'sha256:[0-9a-f]{64}' || die "not a digest (sha256:…): $1"
}

# image TARGET: the name in the registry.
image() {
  case $1 in
    production) echo "$IMAGE" ;;
    *) echo "$IMAGE-$1" ;;
  esac
}
