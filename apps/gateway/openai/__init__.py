"""The shape of OpenAI's API: reading requests, writing answers and errors."""
