"""Sign-in through other identity providers: allauth's protocol code, our providers, our rules, our way out."""
