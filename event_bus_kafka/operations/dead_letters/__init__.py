"""Dead letters as operators see them: listed, replayed, discarded, imported, made by hand."""
