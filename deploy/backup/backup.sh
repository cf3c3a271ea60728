#!/usr/bin/env bash
# backup.sh FOLDER: copies both stores into a new folder, while seats are sold. It runs where Redis's folder can be
# read, with REDIS_URL and DATABASE_URL of the running system, and pg_dump of Postgres's version or sqlite3.
#
# SQL first: Redis then knows at least as much, and what SQL lacks is in the log. docs/deploy.md says how to restore.
set -euo pipefail
umask 077

: "${1:?usage: backup.sh FOLDER}" "${REDIS_URL:?}" "${DATABASE_URL:?}"
refuse() { echo "backup.sh: $1" >&2; exit 2; }
[ ! -e "$1" ] || refuse "$1 exists"

# A part of a URL, which is percent-encoded there.
decoded() { local text=${1//\\/\\\\}; printf %b "${text//%/\\x}"; }

# Passwords go by the environment, because others can see a process's arguments.
[[ ${REDIS_URL%%\?*} =~ ^(redis|rediss|unix)://(([^:/]*)(:([^/]*))?@)?(.*)$ ]] ||
  refuse "REDIS_URL must name one server: redis://, rediss:// or unix://"
scheme=${BASH_REMATCH[1]} server=${BASH_REMATCH[6]}
user=$(decoded "${BASH_REMATCH[3]}") password=$(decoded "${BASH_REMATCH[5]}")
if [ "$scheme" = unix ]; then reach=(-s "$(decoded "$server")"); else reach=(-u "$scheme://$server"); fi
options=()
[[ $REDIS_URL != *\?* ]] || IFS='&' read -r -a options <<<"${REDIS_URL#*\?}"
for option in "${options[@]-}"; do
  value=${option#*=} value=$(decoded "${value//+/ }")
  case $option in
    username=*) user=${user:-$value} ;;
    password=*) password=${password:-$value} ;;
    ssl_ca_certs=*) reach+=(--cacert "$value") ;;
    ssl_ca_path=*) reach+=(--cacertdir "$value") ;;
    ssl_certfile=*) reach+=(--cert "$value") ;;
    ssl_keyfile=*) reach+=(--key "$value") ;;
    ssl_ciphers=*) reach+=(--tls-ciphers "$value") ;;
    ssl_cert_reqs=none) reach+=(--insecure) ;;
    # redis-cli needs none of them: it uses database 0, and checks the certificate but not its name.
    db=* | client_name=* | ssl_cert_reqs=* | ssl_check_hostname=*) ;;
    *=*) refuse "REDIS_URL: redis-cli has no counterpart of ${option%%=*}" ;;
  esac
done
[ -z "$user" ] || reach+=(--user "$user")
[ -z "$password" ] || export REDISCLI_AUTH="$password"

# One value of Redis's configuration.
configured() { redis-cli -e "${reach[@]}" --raw CONFIG GET "$1" | sed -n 2p; }

# Of two backups at once, one would restore the zero that the other had set.
files=${REDIS_DIR:-$(configured dir)}/$(configured appenddirname)
exec 9<"$files"
flock -n 9 || refuse "another backup of this Redis runs"

# Zero is what a killed backup leaves. The append-only file would grow without end.
before=$(configured auto-aof-rewrite-percentage)
[ "$before" != 0 ] || [ "${REWRITE_PERCENTAGE:-}" = 0 ] ||
  refuse "auto-aof-rewrite-percentage is 0: set it in Redis (100 is the default), or REWRITE_PERCENTAGE=0 if it is meant"

copy=$1.partial
mkdir "$copy"
trap 'rm -rf "$copy"' EXIT

case $DATABASE_URL in
  sqlite:///*)
    database=${DATABASE_URL#sqlite:///} database=${database%%\?*}
    [ -s "$database" ] || refuse "there is no database $database"  # sqlite3 would make an empty one.
    # One read transaction; `.backup` would begin again at each write of another process.
    sqlite3 -bail -cmd '.timeout 10000' "$database" "VACUUM INTO '${copy//\'/\'\'}/seating.db'"
    ;;
  *)
    database=${DATABASE_URL#*://}
    if [[ $database =~ ^([^:/]*):([^@]*)@(.*)$ ]]; then
      database=${BASH_REMATCH[1]//@/%40}@${BASH_REMATCH[3]}
      PGPASSWORD=$(decoded "${BASH_REMATCH[2]}")
      export PGPASSWORD
    fi
    while [[ $database =~ ^([^?]*\?(.*\&)?)password=([^\&]*)\&?(.*)$ ]]; do
      database=${BASH_REMATCH[1]}${BASH_REMATCH[4]}
      PGPASSWORD=$(decoded "${BASH_REMATCH[3]//+/ }")
      export PGPASSWORD
    done
    [[ ! $database =~ [?\&]sslpassword= ]] || refuse "DATABASE_URL: pg_dump takes sslpassword as an argument only"
    pg_dump --format=custom --file="$copy/seating.dump" "postgresql://$database"
    ;;
esac

# A rewrite would replace the files that are being copied.
trap 'rm -rf "$copy"; redis-cli -e "${reach[@]}" CONFIG SET auto-aof-rewrite-percentage "$before" >/dev/null' EXIT
redis-cli -e "${reach[@]}" CONFIG SET auto-aof-rewrite-percentage 0 >/dev/null
for _ in $(seq 600); do
  rewriting=$(redis-cli -e "${reach[@]}" INFO persistence | grep -c 'aof_rewrite_\(in_progress\|scheduled\):1' || true)
  [ "$rewriting" -gt 0 ] || break
  sleep 1
done
[ "$rewriting" -eq 0 ] || { echo "backup.sh: Redis still rewrites its append-only file" >&2; exit 1; }

# Its end may be half a command, which Redis cuts off when it starts.
cp -R "$files" "$copy/appendonlydir"
# Somebody may have started a rewrite. Files of the type h are history, which is not loaded.
cat "$copy"/appendonlydir/*.manifest | while read -r _ file _ _ _ type; do
  [ "$type" = h ] || [ -e "$copy/appendonlydir/$file" ] || refuse "$file went away; is the append-only file rewritten?"
done
sync
mv "$copy" "$1"
