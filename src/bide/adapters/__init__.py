"""Policies as parts of HTTP clients: import the module of your client, such as `bide.adapters.httpx`."""
