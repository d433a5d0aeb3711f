"""`manage.py up`: all processes of Parlance on one machine, with the embedded servers where no others are named.

It owns starting, watching, restarting and stopping; what the processes do is theirs. It loads neither settings nor
models, so that it is small and can start the database before anything asks for it.
"""
