#!/usr/bin/env bash
# Gives each student of a list an account and a slice; needs curl and jq.
#
#   ./class.sh deploy students.txt lab.json > class.csv    makes accounts with passwords, and starts a slice for each
#   ./class.sh status class.csv                            tells how the slices are
#   ./class.sh delete class.csv                            deletes the slices; the accounts stay
#
# GATEWAY is where the orchestrator is (http://localhost:5000), MAIL the domain of the students' addresses (example.edu).
set -euo pipefail

GATEWAY=${GATEWAY:-http://localhost:5000}
MAIL=${MAIL:-example.edu}

# What is asked too fast is asked again when the answer says; what is refused ends the script with the reason. A file takes
# the answer, since it is emptied before another try.
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
call() {
  if curl --silent --show-error --fail-with-body --retry 8 -o "$answer" -H 'Content-Type: application/json' "$@"; then
    cat "$answer"
  else
    cat "$answer" >&2
    return 1
  fi
}

login() {
  jq -n --arg username "$1" --arg password "$2" '{$username, $password}' |
    call "$GATEWAY/api/auth/login" -d @- | jq -r .token
}

deploy() {
  while read -r name; do
    # A letter and a digit at least, as the orchestrator wants.
    password=$(head -c 12 /dev/urandom | base64 | tr '+/' '-_')a1
    jq -n --arg username "$name" --arg password "$password" --arg email "$name@$MAIL" \
      '{$username, $password, $email}' | call "$GATEWAY/api/auth/register" -d @- > /dev/null
    token=$(login "$name" "$password")
    slice=$(call "$GATEWAY/api/slices" -H "Authorization: Bearer $token" -d "@$2" | jq -r .id)
    echo "$name,$password,$slice"
  done < "$1"
}

status() {
  while IFS=, read -r name password slice; do
    token=$(login "$name" "$password")
    call "$GATEWAY/api/slices/$slice/status" -H "Authorization: Bearer $token" |
      jq -r --arg name "$name" '[$name, .status, "\(.percent) %", .message] | join("  ")'
  done < "$1"
}

delete() {
  while IFS=, read -r name password slice; do
    token=$(login "$name" "$password")
    call -X DELETE "$GATEWAY/api/slices/$slice" -H "Authorization: Bearer $token" |
      jq -r --arg name "$name" '[$name, .status, .message] | join("  ")'
  done < "$1"
}

case "${1:-} $#" in
  'deploy 3') deploy "$2" "$3" ;;
  'status 2') status "$2" ;;
  'delete 2') delete "$2" ;;
  *)
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
