"""Events and records, and the way between them: no input or output, no settings, no models."""
