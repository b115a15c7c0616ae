"""The doors: command line, REST API, pages, settings, wiring."""
