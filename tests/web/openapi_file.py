"""Writes the OpenAPI document to a file, for programs that read it there: `python -m tests.web.openapi_file FILE`."""

import json
import sys
from pathlib import Path
from typing import cast

from seating.app import create_app
from seating.config import Settings
from seating.live.hub import Hub
from seating.services.services import Services

if __name__ == "__main__":
    app = create_app(Settings(), cast("Services", None), cast("Hub", None))
    Path(sys.argv[1]).write_text(json.dumps(app.api_doc, indent=2))
