"""The task queue: its port (`base`), its state machine (`memory`) and one file per provider."""
