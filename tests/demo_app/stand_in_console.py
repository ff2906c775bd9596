"""What the supervisor needs of a console, and no more: ``serve`` and ``sign-in-link``.  Run by the tests as a process."""

from __future__ import annotations

import argparse
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz/ready" else 404)
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


parser = argparse.ArgumentParser()
parser.add_argument("command", choices=["serve", "sign-in-link"])
parser.add_argument("--port", type=int)
parser.add_argument("--data-dir", type=Path)
given = parser.parse_args()
if given.command == "sign-in-link":
    print(f"{os.environ['OPSCONSOLE_URL']}/sign-in/once/")
    sys.exit()
seen = {name: value for name, value in os.environ.items() if name.startswith(("OPSCONSOLE_", "DJANGO_", "OTEL_"))}
(given.data_dir / "environment.json").write_text(json.dumps(seen))
HTTPServer(("127.0.0.1", given.port), Ready).serve_forever()
