from django.apps import AppConfig


class SampleConfig(AppConfig):
    name = "tests.sampleapp"
    label = "sampleapp"

    def ready(self):
        from tests.sampleapp import registrations

        registrations.register()
