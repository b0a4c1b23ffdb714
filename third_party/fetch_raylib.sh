#!/bin/sh
# fetch_raylib.sh - downloads and verifies the source of raylib 6.0, without changing the system.
#
#   third_party/fetch_raylib.sh [FOLDER] [github|debian]      FOLDER defaults to third_party/raylib
#
# Tries two places in this order, unless you name one:
#   github  the upstream commit below; git verifies its hash.
#   debian  the source package of Debian's testing and unstable suites; apt verifies Debian's signature, and this script
#           the hash of the tarball. Package lists and downloads go to a temporary folder. Mirror and key come from this
#           machine's apt sources. The tarball does not contain GLFW.
# Exit status 0: FOLDER/src/raylib.h exists. Otherwise FOLDER is unchanged, and stderr gives the reason.
set -u

commit=dbc56a87da87d973a9c5baa4e7438a9d20121d28
repository=https://github.com/raysan5/raylib.git
debian_version=6.0+ds
debian_sha256=48063be6305afd417a7f44fc588b2f266354cb30c0073ba8fb503d5a0429688e

folder=${1:-$(dirname "$0")/raylib}
from=${2:-any}
case $from in any | github | debian) ;; *) echo "fetch_raylib: the place must be github or debian, got $from" >&2; exit 2 ;; esac
if [ -e "$folder/src/raylib.h" ]; then exit 0; fi
if [ -e "$folder" ]; then echo "fetch_raylib: $folder exists and is not raylib; remove it first" >&2; exit 2; fi

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work" "$folder.partial.$$"' EXIT
trap 'exit 1' HUP INT TERM

limit() {  # limit SECONDS COMMAND...: runs a command with a timeout, if the system has `timeout`
  if command -v timeout >/dev/null; then timeout "$@"; else shift; "$@"; fi
}

from_github() {
  command -v git >/dev/null || { echo "git is not installed"; return 1; }
  # In a git hook these variables point to another repository.
  unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_COMMON_DIR
  git init -q "$work/source" &&
    GIT_TERMINAL_PROMPT=0 limit 120 git -C "$work/source" -c http.lowSpeedLimit=1000 -c http.lowSpeedTime=10 \
      fetch -q --depth 1 "$repository" "$commit" &&
    git -C "$work/source" -c advice.detachedHead=false checkout -q FETCH_HEAD &&
    test "$(git -C "$work/source" rev-parse HEAD)" = "$commit" &&
    rm -rf "$work/source/.git" "$work/source/examples"
}

# Prints a deb-src stanza with the first mirror and key of the machine's apt sources, in either of apt's two formats.
debian_sources() {
  set -- $(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    awk '/^URIs:.*\/debian\/?( |$)/ && !uri { uri = $2 }
         /^deb .*\/debian\/? / && !uri { for (i = 2; i <= NF; ++i) if ($i ~ /:\/\//) { uri = $i; break } }
         END { print uri }') ""
  [ -n "$1" ] || { echo "no Debian mirror in the apt sources of this machine" >&2; return 1; }
  printf 'Types: deb-src\nURIs: %s\nSuites: testing unstable\nComponents: main\n' "$1"
  key=/usr/share/keyrings/debian-archive-keyring.gpg
  if [ -e "$key" ]; then printf 'Signed-By: %s\n' "$key"; fi
}

from_debian() {
  command -v apt-get >/dev/null || { echo "apt-get is not installed"; return 1; }
  mkdir -p "$work/sources" "$work/lists/partial" "$work/cache/archives/partial" "$work/package" "$work/source" || return 1
  debian_sources >"$work/sources/raylib.sources" || return 1
  set -- -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/sources" -o Dir::State::lists="$work/lists" \
    -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root -o Acquire::Retries=1 -o Acquire::http::Timeout=15 \
    -o APT::Update::Error-Mode=any
  limit 120 apt-get "$@" update &&
    (cd "$work/package" && limit 120 apt-get "$@" source --download-only raylib) || return 1
  tarball=$work/package/raylib_$debian_version.orig.tar.gz
  [ -e "$tarball" ] || { echo "Debian no longer carries version $debian_version"; return 1; }
  printf '%s  %s\n' "$debian_sha256" "$tarball" | sha256sum -c - || return 1
  tar -xzf "$tarball" -C "$work/source" --strip-components 1
}

for place in github debian; do
  if [ "$from" != any ] && [ "$from" != "$place" ]; then continue; fi
  rm -rf "$work/source"
  if "from_$place" >"$work/log" 2>&1 && [ -e "$work/source/src/raylib.h" ]; then
    # Moved under a temporary name first: /tmp may be another disk, and FOLDER must be complete or absent.
    partial=$folder.partial.$$
    mkdir -p "$(dirname "$folder")" && mv "$work/source" "$partial" && mv "$partial" "$folder" && exit 0
    rm -rf "$partial"
    echo "fetch_raylib: cannot write $folder" >&2
    exit 1
  fi
  echo "fetch_raylib: not from $place: $(grep -m 1 'Failed to fetch' "$work/log" || tail -n 1 "$work/log")" >&2
done
exit 1
