"""`make dashboards`: writes the dashboard and the alert rules."""

from __future__ import annotations

from docs.monitoring.files import FOLDER, texts

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in texts().items():
        (FOLDER / name).write_text(text)
