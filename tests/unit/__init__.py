"""Rules alone: no database, no socket."""
