#!/bin/sh
# `npm start` and the command of the image. The one place for the bounds of Node's memory: a heap without a bound is
# collected late, and the same work then holds twice the memory. Of two equal options Node takes the last: yours.
NODE_OPTIONS="--max-semi-space-size=4 --max-old-space-size=512${NODE_OPTIONS:+ $NODE_OPTIONS}"
# Each thread of glibc's has an arena of its own otherwise: 10 MB more after load, and no faster.
MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-2}"
export NODE_OPTIONS MALLOC_ARENA_MAX
# New objects get 4 MB from the first on: a start that begins with less moves what it made again and again.
exec node --min-semi-space-size=4 "$(dirname "$0")/start.js" "$@"
