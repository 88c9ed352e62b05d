"""Pages of replay requests: one is planned and made, watched, paused, resumed and cancelled."""
