from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from apps.core.api import APIView


class NotesView(APIView):
    @extend_schema(operation_id="sample_notes_list", responses={200: None})
    def get(self, request):
        return Response({"results": []})


urlpatterns = [path("sample-notes/", NotesView.as_view())]
