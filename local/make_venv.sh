#!/usr/bin/env bash
# Make the virtual environment: ours in $1, that of MiniStack in $1/ministack. Needs Python 3.11 or later, nothing else.
set -euo pipefail
venv=$1
cd "$(dirname "$0")/.."

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    { echo "Python 3.11 or later is needed; $PYTHON is older. Give another: make PYTHON=/path/to/python3" >&2; exit 1; }

if ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then # Debian has these in a package of their own
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
    else
        echo "This Python has no venv module. On Debian: sudo apt-get install python3-venv" >&2
        exit 1
    fi
fi

# Inside the environment that is made anew (it is active, say) only what it was made from stays.
PYTHON=$("$PYTHON" -c 'import sys; print(sys._base_executable)')

echo "Setting up $venv (once) …"
uv=$(sed -n 's/^uv==//p' local/requirements/dev.txt)
rm -rf "$venv"
"$PYTHON" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$uv"
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --requirement local/requirements/dev.txt
"$venv/bin/uv" venv --quiet --python "$venv/bin/python" "$venv/ministack"
"$venv/bin/uv" pip install --quiet --python "$venv/ministack/bin/python" --requirement local/requirements/ministack.txt

# The command line client runs from the repository: what is edited there is what runs.
cat >"$venv/bin/dicomweb" <<END
#!$venv/bin/python
import sys

sys.path[:0] = ["$PWD/layers/dicomweb", "$PWD"]
from cli.app import main

main()
END
chmod +x "$venv/bin/dicomweb"
touch "$venv/ready"
