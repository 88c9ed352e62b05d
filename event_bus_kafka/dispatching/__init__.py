"""An event and its receivers: who is called, how it ended, and whether to call again."""
