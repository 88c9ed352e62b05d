"""A service that consists of the code in docs/testing.rst. Tests run the service's tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parent.parent.parent
BLOCK = re.compile(r"^\.\. code-block:: \w+\n   :caption: (\S+)\n\n((?:   .*\n|\n)+)", re.MULTILINE)
OTHER_FILES = {
    "pytest.ini": "[pytest]\nDJANGO_SETTINGS_MODULE = settings\npythonpath = .\nfilterwarnings = error\n",
    "grades/__init__.py": "",
    "grades/apps.py": (
        "from django.apps import AppConfig\n"
        "from grades.events import COURSE_GRADED\n\n"
        "class GradesConfig(AppConfig):\n"
        "    name = 'grades'\n\n"
        "    def ready(self):\n"
        "        from grades.services import praise\n"
        "        COURSE_GRADED.connect(praise)\n"
    ),
}
_PATIENT = "EVENT_BUS_KAFKA_SEND_TIMEOUT = 30\n"
"""
A line of settings with a long time limit. On a busy machine a Kafka client starts slowly. With the default limit, the
first event would go into the outbox.
"""
_WITHOUT = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
"""
Options that disable two pytest plugins, because one would write a cache and the other would import all of Hypothesis at
each start.
"""


class Project:
    """
    The service that docs/testing.rst describes, in a separate folder. Because of the folder ``installed``, pytest finds
    the plugin as if the package were installed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "project"
        self._installed = folder / "installed"
        (entry_point,) = re.findall(r'"pytest11": \["(.+)"\]', (ROOT / "setup.py").read_text())
        info = self._installed / "kit-0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Name: kit\nVersion: 0\n")
        (info / "entry_points.txt").write_text(f"[pytest11]\n{entry_point}\n")
        blocks = BLOCK.findall((ROOT / "docs/testing.rst").read_text())
        for name, text in OTHER_FILES.items() | set(blocks):
            self.write(name, text)
        self.write("settings.py", f"{self.read('settings.py')}\n{_PATIENT}")

    def pytest(self, *arguments: str) -> tuple[int, str]:
        """Run the service's tests; return the exit code and the output."""
        path = os.pathsep.join([str(ROOT), str(self._installed)])
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "DJANGO"))}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *_WITHOUT, *arguments],
            cwd=self._folder,
            env=environment | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=100,
        )
        return done.returncode, done.stdout + done.stderr

    def read(self, name: str) -> str:
        return (self._folder / name).read_text()

    def write(self, name: str, text: str) -> None:
        """Write ``text`` to a file of the service, without its common indentation."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace the text ``old`` in a file of the service."""
        text = self.read(name)
        assert old in text
        (self._folder / name).write_text(text.replace(old, new))
