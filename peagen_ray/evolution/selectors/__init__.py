"""Parent selectors: which program is changed next."""
