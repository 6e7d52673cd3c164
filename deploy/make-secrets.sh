#!/usr/bin/env bash
# Makes the secrets that docker-compose.yml mounts, once: the database's password, the URL that holds it, and the
# first API key. What is there already stays.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

random_hex() { # bytes
    od -An -v -tx1 -N "$1" /dev/urandom | tr -d ' \n'
}

write_once() { # file, text
    if [[ ! -e "secrets/$1" ]]; then
        # Readable for the containers' users, which are not this one; the directory keeps everybody else out.
        (umask 022 && printf '%s\n' "$2" >"secrets/$1.part" && mv "secrets/$1.part" "secrets/$1")
    fi
}

mkdir -p secrets
chmod 700 secrets
write_once database-password "$(random_hex 24)"
write_once database-url "postgres://hornbook:$(<secrets/database-password)@database:5432/hornbook"
write_once initial-key "hb_$(random_hex 6)_$(random_hex 32)"
echo "secrets are in $PWD/secrets"
