#!/usr/bin/env bash
# rehearse.sh: builds the image, brings docker-compose.yml up with .env.example as its .env, runs rehearsal.js on it, and
# takes it down with its volumes. With a Docker engine, on that (ports 8080, 6379 and 2379 must be free). Without one, as root
# on Debian, with the container tools in $CONTAINER_TOOLS_DIR, in a network of its own and on stand-ins of the base images.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tools=${CONTAINER_TOOLS_DIR:-$root/../shared/containers}
export COMPOSE_PROJECT_NAME=message-dispatcher-rehearsal

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
# A copy, so that the .env of whoever works here does not count.
cp -r "$root/docker-compose.yml" "$root/config" "$stage/"
cp "$root/.env.example" "$stage/.env"
: >"$stage/empty.env"
printf 'exec node --test --test-reporter=spec %q\n' "$root/test/containers/rehearsal.js" >"$stage/rehearsal.sh"

with_engine() {
  export COMPOSE='docker compose'
  docker compose version >/dev/null 2>&1 || COMPOSE=docker-compose
  docker build -t message-dispatcher "$root"
  cd "$stage"
  trap '$COMPOSE --profile receiver down -v; rm -rf "$stage"' EXIT
  $COMPOSE up -d --no-build
  bash rehearsal.sh
}

# An image of Docker Hub, by the name that podman knows it by.
full_name() {
  case $1 in *.*/*) echo "$1" ;; *) echo "docker.io/library/$1" ;; esac
}

without_engine() {
  tools=$(cd "$tools" && pwd)
  # shellcheck source=/dev/null
  . "$tools/env.sh"
  command -v podman >/dev/null || apt-get -q update
  if ! command -v podman >/dev/null || ! podman image exists docker.io/library/node:24-slim; then "$tools/mkbase.sh"; fi
  local service image
  for service in postgres redis etcd; do
    image=$(sed -n "s/^ *image: \(.*$service:.*\)$/\1/p" "$root/docker-compose.yml")
    podman image exists "$(full_name "$image")" || "$tools/build.sh" "$(full_name "$image")" "$tools/$service"
  done
  "$tools/build.sh" "$(full_name message-dispatcher)" "$root"
  podman images --filter reference=message-dispatcher
  # What earlier builds left; today's layers are kept, and make the next build quick.
  podman image prune --force --filter until=24h
  "$tools/ns-run.sh" "$tools/compose-up.sh" "$stage" "$stage/rehearsal.sh"
}

if docker info >/dev/null 2>&1; then
  with_engine
elif [ -f "$tools/compose-up.sh" ] && [ -f /etc/debian_version ] && [ "$(id -u)" = 0 ]; then
  without_engine
else
  echo "The rehearsal needs a Docker engine; or root on Debian, and the container tools in $tools (CONTAINER_TOOLS_DIR)." >&2
  exit 1
fi
