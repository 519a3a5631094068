#!/bin/sh
# As the official image's: arguments are cAdvisor's, which logs to the container's output.
set -eu
exec /usr/bin/cadvisor -logtostderr "$@"
