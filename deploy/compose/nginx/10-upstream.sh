#!/bin/sh
# In nginx's container, at its start: the webs as deploy/nginx/upstream has them, in a folder of this container's own. There
# deploy/compose/upgrade takes a web out and puts it back; a new container begins with both.
set -eu

cp /etc/vote-nginx/upstream/*.conf /etc/nginx/upstream/
