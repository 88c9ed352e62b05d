"""Tests of the dashboard and the alert rules for Prometheus."""
