"""Serve the model in ./model, in an image of `python -m lab image`: there is neither Git nor DVC there.

python -m runtimes.serving.container NAME VERSION HOST PORT
"""

import os
import sys
from pathlib import Path

from runtimes.serving.served import load

KEY_VARIABLE = "LAB_SERVE_KEY"


def main() -> None:
    """Serve until SIGTERM, which lets requests that have begun end."""
    name, version, host, port = sys.argv[1:]
    served = load(Path("model"), name, version)
    import uvicorn

    from runtimes.serving.app import create_app

    app = create_app(lambda: served, os.environ.get(KEY_VARIABLE, ""))
    uvicorn.run(app, host=host, port=int(port), log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
