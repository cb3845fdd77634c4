"""The built-in handlers: ordinary plugins, registered like anybody else's."""
