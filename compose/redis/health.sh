#!/bin/sh
# The user `health` can do nothing but PING; an answer means that Redis has its data loaded.
REDISCLI_AUTH=$(cat /secrets/health-password) || exit 1
export REDISCLI_AUTH
[ "$(redis-cli --no-auth-warning --user health ping)" = PONG ]
