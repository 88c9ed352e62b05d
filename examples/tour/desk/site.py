"""
Serves a service's admin site: ``EXAMPLES_SERVICE=lms python -m examples.tour.desk.site``.

The process prints its URL as a line of JSON and ends on SIGTERM. Real services use a production web server.
"""

from __future__ import annotations

import json
import os

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "examples.tour.desk.settings"
    site = StaticFilesHandler(get_wsgi_application())
    server = ThreadedWSGIServer(("127.0.0.1", 0), WSGIRequestHandler, ipv6=False)
    server.set_app(site)
    print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}/admin/"}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
