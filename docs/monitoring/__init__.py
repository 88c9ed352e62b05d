"""Generates the files in `docs/operating/`: a dashboard for Grafana, and alert rules for Prometheus."""
