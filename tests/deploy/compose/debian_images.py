"""Stand-ins for the official images that compose.yaml names: Debian's packages under the official names.

They have the accounts, folders, variables and programs of the official ones as far as compose.yaml uses them, and say what
they are (label `stand-in`). What cannot be shown with them: that the official images behave the same.
"""

from pathlib import Path

from tests.deploy.image import base
from tests.deploy.image.base import CACHE, SETTINGS
from tests.deploy.image.engine import Engine

PROGRAMS = (
    "ca-certificates",
    "certbot",
    "curl",
    "gettext-base",
    "netbase",
    "nginx-light",
    "openssl",
    "postgresql-15",
    "procps",
    "redis-server",
    "tzdata",
    "usr-is-merged",
)
FILES = Path(__file__).parent / "stand_ins"
DEBIAN = "localhost/stand-in:debian"

POSTGRES = """
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ENV PGDATA=/var/lib/postgresql/data
RUN rm -rf /var/lib/postgresql /etc/postgresql && usermod --uid 70 postgres && groupmod --gid 70 postgres \
    && install -d -o 70 -g 70 -m 0700 /var/lib/postgresql/data && mkdir -p /docker-entrypoint-initdb.d
COPY postgres /usr/local/bin/docker-entrypoint.sh
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
"""
# Debian's Redis 7.0 in place of Valkey 8, which Debian 12 does not have.
VALKEY = """
RUN ln -s /usr/bin/redis-server /usr/local/bin/valkey-server && ln -s /usr/bin/redis-cli /usr/local/bin/valkey-cli \
    && install -d -o 999 -g 1000 /data
VOLUME /data
WORKDIR /data
CMD ["valkey-server"]
"""
NGINX = """
RUN rm -rf /etc/nginx/conf.d /etc/nginx/snippets && mkdir -p /etc/nginx/conf.d /docker-entrypoint.d \
    && rm -rf /var/lib/nginx && ln -s /var/cache/nginx /var/lib/nginx \
    && ln -sf /dev/stdout /var/log/nginx/access.log && ln -sf /dev/stderr /var/log/nginx/error.log
COPY nginx /docker-entrypoint.sh
COPY 20-envsubst.sh /docker-entrypoint.d/20-envsubst-on-templates.sh
ENTRYPOINT ["/docker-entrypoint.sh"]
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
"""
CERTBOT = 'ENTRYPOINT ["certbot"]\n'
IMAGES = {
    "docker.io/library/postgres:15.18-alpine": POSTGRES,
    "docker.io/valkey/valkey:8.1.9-alpine": VALKEY,
    "docker.io/library/nginx:1.28.0-alpine": NGINX,
    "docker.io/certbot/certbot:v5.7.0": CERTBOT,
}


def build(engine: Engine) -> None:
    """Build all of them on one base."""
    packages = base.archive(PROGRAMS)
    engine.build(f"FROM scratch\nADD {packages.name} /\n" + "\n".join(SETTINGS), DEBIAN, CACHE)
    for name, lines in IMAGES.items():
        engine.build(f"FROM {DEBIAN}\n{lines}", name, FILES)
