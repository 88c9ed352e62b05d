"""Django projects that tests run in separate processes."""
