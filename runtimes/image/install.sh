#!/bin/sh
# install.sh REQUIREMENTS FOLDER: a virtual environment of these packages, each checked against its hash.
set -eu
python -m venv --without-pip "$2"
python -m pip --python "$2" install --no-cache-dir --compile --no-deps --require-hashes --requirement "$1"
