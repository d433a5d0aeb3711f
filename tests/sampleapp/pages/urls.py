from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("sample-notes/", lambda request: HttpResponse("notes"), name="sampleapp_notes")]
