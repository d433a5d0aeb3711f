"""A real OpenID Connect issuer in a process of its own: allauth's identity provider, with people that a test sends it."""
