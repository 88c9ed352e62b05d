"""How many instructions an event takes, in ratios that neither the machine nor its load changes."""
