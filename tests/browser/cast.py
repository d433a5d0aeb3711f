"""Who signs in on the pictures. Apart from the story, because the process that drives the browser has no Django."""

EMAIL = "ines@alfama.example"
PASSWORD = "correct horse battery"
#: Has an authenticator app.
CAREFUL = "marta@alfama.example"
