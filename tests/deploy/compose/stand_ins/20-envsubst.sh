#!/bin/sh
# A stand-in for the official image's own script: it renders the templates. Of NGINX_ENVSUBST_FILTER it knows the one value that
# compose.yaml gives.
set -eu

[ "$NGINX_ENVSUBST_FILTER" = '^SERVER_NAME$' ]
for template in /etc/nginx/templates/*.template; do
  name=$(basename "$template" .template)
  # shellcheck disable=SC2016  # envsubst reads the name
  envsubst '${SERVER_NAME}' <"$template" >"/etc/nginx/conf.d/$name"
done
