"""Pages on which a replay request is planned, made, watched, paused, resumed and cancelled."""
