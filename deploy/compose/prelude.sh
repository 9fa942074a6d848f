# shellcheck shell=sh
# What the scripts of this folder share. They work in the folder of compose.yaml, wherever they are started. Exit codes: 0 done,
# 1 refused or failed, 2 called wrongly.

cd "$(dirname "$0")/../.." || exit
me=${0##*/}
WEBS="web-1 web-2"
WORKERS="worker-1 worker-2"
ANEW= # --force-recreate: replace a part also where its image is the same
READY_S=${READY_TIMEOUT_S:-60} # how long a new container may take until it is ready
BACKUP_S=1800                   # ten million votes take some minutes
MIGRATE_S=3600                  # an index over ten million votes takes minutes
case $READY_S in
  *[!0-9]* | 0?*)
    printf '%s: READY_TIMEOUT_S is a number of seconds, not %s\n' "$me" "$READY_S" >&2
    exit 2
    ;;
esac

# What is said to a terminal that is gone (a lost connection) must not end an upgrade half done.
trap '' HUP PIPE
say() { printf '%s\n' "$*" 2>/dev/null || :; }

die() {
  printf '%s: %s\n' "$me" "$*" >&2
  exit 1
}

[ "$(id -u)" = 0 ] || die "start this as root (sudo): secrets belong to the accounts inside the containers."

compose() { docker compose --progress quiet "$@" </dev/null; }

# known NAME: the value of a setting in .env.
known() {
  [ ! -f .env ] || sed -n "s/^$1=//p" .env | tail -n 1 | tr -d '\r'
}

# remember NAME VALUE…: write settings to .env, all or none; other lines stay.
remember() {
  umask 077
  [ -f .env ] || : >.env
  cp -p .env .env.new || die ".env could not be written; it is as it was."
  while [ $# -gt 0 ]; do
    NAME=$1 VALUE=$2 awk -F= '$1 != ENVIRON["NAME"] { print } END { print ENVIRON["NAME"] "=" ENVIRON["VALUE"] }' .env.new >.env.next ||
      die ".env could not be written; it is as it was."
    # Some awks do not notice a full disk.
    tail -n 1 .env.next | grep -qxF -e "$1=$2" || die ".env could not be written (is the disk full?); it is as it was."
    mv .env.next .env.new
    shift 2
  done
  mv .env.new .env
}

# until_true SECONDS COMMAND…: whether the command succeeds in time.
until_true() {
  end=$(($(date +%s) + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$(date +%s)" -lt "$end" ] || return 1
    sleep 1 # between two looks
  done
}

# Whether an image is on this host, or can be fetched.
is_here() { docker image inspect "$1" >/dev/null 2>&1 || docker pull --quiet "$1" >/dev/null 2>&1; }

# One run of these scripts at a time; the kernel gives the lock back, also after a crash.
alone() {
  exec 9>.compose-lock
  command -v flock >/dev/null || die "flock is missing (package util-linux)."
  flock -n 9 || die "another script of this folder is at work."
}

in_service() {
  service=$1
  shift
  compose exec -T "$service" "$@"
}

# migrate: bring the database to the schema of the image in VOTE_IMAGE. Returns 1 when that failed.
migrate() {
  compose up --detach --no-deps --no-build --force-recreate --quiet-pull migrate || return 1
  container=$(compose ps --all --quiet migrate)
  until_true "$MIGRATE_S" has_ended "$container" || return 1
  compose logs --no-log-prefix migrate
  [ "$(docker container inspect --format '{{.State.ExitCode}}' "$container")" = 0 ] || return 1
  in_service db sh /docker-entrypoint-initdb.d/roles.sh
}

has_ended() { [ "$(docker container inspect --format '{{.State.Status}}' "$1")" = exited ]; }

# Not yet while it is being made: the image's own script starts a server for itself first.
# shellcheck disable=SC2016  # the shell of the container expands it
database_is_up() { in_service db sh -c 'pg_isready --quiet --host=/run/db --dbname=vote && grep -qx postgres /proc/1/comm'; }

# Whether a vote can be acknowledged there.
web_is_ready() {
  in_service "$1" python -c 'import urllib.request as u; u.urlopen("http://127.0.0.1:8080/ready", timeout=5)'
}

# Whether nginx gets there. A new container has an old address, which nginx's side of the network still knows by the hardware
# address of the one before; the web says hello to nginx (172.29.8.10), whereby it learns the new one at once.
web_is_reached() {
  in_service "$1" python -c 'import socket; socket.create_connection(("172.29.8.10", 80), 2).close()' || return 1
  # shellcheck disable=SC2016  # the shell of the container expands it
  in_service nginx sh -ec 'curl --fail --silent --output /dev/null --max-time 2 \
    "http://$(sed -n "s/^server \([0-9.:]*\) .*/\1/p" "/etc/nginx/upstream/$1.conf")/health"' sh "$1"
}

part_is_healthy() { in_service "$1" python /opt/vote/health.py; }

# take_out WEB, put_back WEB: in nginx's upstream. Requests under way end; no new one goes there.
take_out() { in_nginx "s/\( down\)*;\$/ down;/" "$1"; }
put_back() { in_nginx "s/\( down\)*;\$/;/" "$1"; }
# It reloads also where the file is right already: a run that was cut off may have ended between the two.
in_nginx() {
  # shellcheck disable=SC2016  # the shell of the container expands it
  in_service nginx sh -ec 'sed -i "$1" "/etc/nginx/upstream/$2.conf"
    nginx -t -q -c "$NGINX_CONF" && nginx -s reload -c "$NGINX_CONF"' sh "$1" "$2"
}

# Whether another web takes people's requests now; one that is ready and was left out by a run before is put back.
another_serves() {
  for other in $WEBS; do
    if [ "$other" != "$1" ] && web_is_ready "$other" && web_is_reached "$other" && put_back "$other"; then
      return 0
    fi
  done
  return 1
}

# The webs, those that are not ready first: what serves is replaced last.
webs_in_order() {
  serving=
  for one in $WEBS; do
    if web_is_ready "$one" >/dev/null 2>&1; then serving="$serving $one"; else printf '%s ' "$one"; fi
  done
  printf '%s\n' "$serving"
}

# replace_all: bring each part to the images in .env, one after the other, the webs first. Nobody's request fails: a web that
# serves is taken out of nginx's upstream only while another one serves. Returns 1 at the first part that does not get ready.
replace_all() {
  for web in $(webs_in_order); do
    say "$web …"
    # One look may miss a web that serves and is busy.
    if until_true 10 web_is_ready "$web"; then
      until_true "$READY_S" another_serves "$web" || { say "No other web serves, so $web is left as it is."; return 1; }
    fi
    take_out "$web" || return 1
    # shellcheck disable=SC2086  # one option or none
    compose up --detach --no-deps --no-build --quiet-pull $ANEW "$web" || return 1
    until_true "$READY_S" web_is_ready "$web" || { say "$web is not ready after $READY_S s."; return 1; }
    until_true "$READY_S" web_is_reached "$web" || { say "nginx does not reach $web."; return 1; }
    put_back "$web" || return 1
  done
  for part in $WORKERS backup; do
    say "$part …"
    # shellcheck disable=SC2086
    compose up --detach --no-deps --no-build --quiet-pull $ANEW "$part" || return 1
    until_true "$READY_S" part_is_healthy "$part" || { say "$part is not healthy after $READY_S s."; return 1; }
  done
}

# A backup that is due anyway may be under way: wait for it, and make one all the same.
back_up() {
  end=$(($(date +%s) + BACKUP_S))
  until said=$(in_service backup vote backup create 2>&1); do
    case $said in
      *"already uses"*) [ "$(date +%s)" -lt "$end" ] || { say "$said"; return 1; } ;;
      *) say "$said"; return 1 ;;
    esac
    sleep 2 # between two tries
  done
  say "$said"
}
