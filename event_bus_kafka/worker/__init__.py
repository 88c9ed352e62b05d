"""The harness around a step: signals, the end, and its exit code."""
