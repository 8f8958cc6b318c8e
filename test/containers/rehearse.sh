#!/usr/bin/env bash
# rehearse.sh [--where-possible] [--only-build]: builds the image, brings docker-compose.yml up with .env.example as its .env,
# runs rehearsal.js on it, and takes it down with its volumes. With a Docker engine, on that (ports 8080, 6379 and 2379 must
# be free). Without one, as root on Debian, with the container tools in $CONTAINER_TOOLS_DIR, on stand-ins of the base images;
# those and the layers of the newest build are kept in $CONTAINERS_HOME. With --where-possible, neither is no failure.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tools=${CONTAINER_TOOLS_DIR:-$root/../shared/containers}
# Its own: what earlier runs left is cleared away there.
export CONTAINERS_HOME=${CONTAINERS_HOME:-${TMPDIR:-/tmp}/message-dispatcher-containers}
export COMPOSE_PROJECT_NAME=message-dispatcher-rehearsal

has() { [[ " $arguments " == *" $1 "* ]]; }
arguments=$*
engine() { docker info >/dev/null 2>&1; }
tooling() { [ -f "$tools/mkbase.sh" ] && [ -f /etc/debian_version ] && [ "$(id -u)" = 0 ]; }

if ! engine && ! tooling; then
  needs="a Docker engine; or root on Debian, and the container tools in $tools (CONTAINER_TOOLS_DIR)"
  if has --where-possible; then
    echo "The container rehearsal is left out here: it needs $needs."
    exit 0
  fi
  echo "The rehearsal needs $needs." >&2
  exit 1
fi

stage=$(mktemp -d)
task=
clean_up() {
  trap '' INT TERM HUP
  # What runs without an engine has a process namespace, and ends with its first process.
  if [ -n "$task" ]; then kill -KILL "$task" 2>/dev/null; wait "$task" 2>/dev/null; fi
  local killed
  killed=$(ls "$stage/containers/storage/overlay-containers" 2>/dev/null)
  if [ -n "${COMPOSE:-}" ]; then (cd "$stage" && $COMPOSE --profile receiver down -v); fi
  for _ in 1 2 3 4 5; do rm -rf "$stage" 2>/dev/null; [ -e "$stage" ] || break; sleep 1; done
  # The folders that the kernel keeps for containers that were killed.
  for id in $killed; do find /sys/fs/cgroup -depth -type d -path "*$id*" -exec rmdir {} ';' 2>/dev/null; done
}
trap 'set +e; clean_up' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# A copy, so that the .env of whoever works here does not count.
cp -r "$root/docker-compose.yml" "$root/config" "$stage/"
cp "$root/.env.example" "$stage/.env"
: >"$stage/empty.env"
printf 'exec node --test --test-reporter=spec %q\n' "$root/test/containers/rehearsal.js" >"$stage/rehearsal.sh"

with_engine() {
  export COMPOSE='docker compose'
  docker compose version >/dev/null 2>&1 || COMPOSE=docker-compose
  docker build -t message-dispatcher "$root"
  if has --only-build; then return; fi
  cd "$stage"
  $COMPOSE up -d --no-build
  bash rehearsal.sh
}

# Runs a command with process ids, mounts, /run and /dev/shm of its own. However it ends, and however this script does, its
# processes end with it and their mounts are gone. In the background, so that a signal to this script counts at once.
apart() {
  # shellcheck disable=SC2016
  local own='mount --make-rprivate /
    for folder in /run /dev/shm /etc/containers/networks; do mkdir -p "$folder" && mount -t tmpfs tmpfs "$folder"; done
    exec "$@"'
  setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc bash -c "$own" _ "$@" &
  task=$!
  local code=0
  wait "$task" || code=$?
  task=
  return "$code"
}

# An image of Docker Hub, by the name that podman knows it by.
full_name() {
  case $1 in *.*/*) echo "$1" ;; *) echo "docker.io/library/$1" ;; esac
}

build_services() {
  local service image
  for service in postgres redis etcd; do
    image=$(sed -n "s/^ *image: \(.*$service:.*\)$/\1/p" "$root/docker-compose.yml")
    podman image exists "$(full_name "$image")" || "$tools/build.sh" "$(full_name "$image")" "$tools/$service"
  done
}

# Leaves the images of the stack in $CONTAINERS_HOME, and the layers that make the next build quick; no others.
build_images() {
  # shellcheck source=/dev/null
  . "$tools/env.sh"
  buildah rm --all >/dev/null
  podman image exists docker.io/library/node:24-slim || "$tools/mkbase.sh"
  build_services &
  local services=$! target
  # Stages have names of their own, or they would be swept away with what earlier builds left.
  for target in dependencies packages build; do
    "$tools/build.sh" "localhost/message-dispatcher-$target" "$root" --target "$target"
  done
  "$tools/build.sh" "$(full_name message-dispatcher)" "$root"
  wait "$services"
  podman image prune --force
  podman images
}

# Runs apart, in a network of its own: the stack, by docker-compose on podman, and the rehearsal.
rehearse_on_podman() {
  # shellcheck source=/dev/null
  . "$tools/env.sh"
  export DOCKER_HOST=unix://$CONTAINERS_HOME/api.sock COMPOSE_HTTP_TIMEOUT=90
  podman system service -t 0 "$DOCKER_HOST" 2>"$CONTAINERS_HOME/api.log" &
  # podman has no timers here. Each check costs as much as a command in the container: what is healthy is left in peace.
  (while sleep 1; do
    for container in $(podman ps -q --filter health=starting --filter health=unhealthy); do
      podman healthcheck run "$container" || true
    done
  done) >/dev/null 2>&1 &
  while [ ! -S "${DOCKER_HOST#unix://}" ]; do sleep 0.1; done
  cd "$stage"
  timeout 180 docker-compose up -d --no-build
  docker-compose ps
  bash rehearsal.sh || { docker-compose --profile receiver logs --tail 20; return 1; }
}

without_engine() {
  tools=$(cd "$tools" && pwd)
  mkdir -p "$CONTAINERS_HOME"
  exec 9>"$CONTAINERS_HOME/lock"
  flock -n 9 || { echo "Waiting for another rehearsal in $CONTAINERS_HOME …"; flock 9; }
  # It installs packages, which is better not killed.
  if ! command -v podman >/dev/null; then apt-get -q update && "$tools/mkbase.sh"; fi
  export tools root stage
  export -f build_images build_services full_name rehearse_on_podman
  apart bash -euo pipefail -c build_images
  if has --only-build; then return; fi
  # Containers, volumes and networks are written to the folder that goes with this run; the images are only read.
  export STORAGE_OPTS="overlay.imagestore=$CONTAINERS_HOME/storage"
  CONTAINERS_HOME=$stage/containers apart "$tools/ns-run.sh" bash -euo pipefail -c rehearse_on_podman
}

if engine; then with_engine; else without_engine; fi
