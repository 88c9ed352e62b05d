"""Makes what `docs/operating/` offers to monitoring: a dashboard for Grafana, and alert rules for Prometheus."""
