"""Language models: the port (`base`), one file per adapter, and what decides whom to ask and what it may cost."""
