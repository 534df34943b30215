#!/bin/sh
# `npm start` and the command of the image. The one place for the bounds of Node's memory: a heap without a bound is
# collected late, and the same work then holds twice the memory. Of two equal options Node takes the last: yours.
NODE_OPTIONS="--max-semi-space-size=4 --max-old-space-size=512${NODE_OPTIONS:+ $NODE_OPTIONS}"
# By default glibc gives each thread an arena of its own: 10 MB more after load, and no faster.
MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-2}"
export NODE_OPTIONS MALLOC_ARENA_MAX
# New objects get 4 MB at once: with less, a start copies the same objects several times.
exec node --min-semi-space-size=4 "$(dirname "$0")/start.js" "$@"
