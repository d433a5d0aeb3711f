"""Where the description of the API is read."""

from __future__ import annotations

import threading
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils import translation
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request

#: By format and language: what was rendered in this process.
_made: dict[tuple[str, str], bytes] = {}
_making = threading.Lock()


class SchemaView(SpectacularAPIView):
    """It is the same for everybody who asks, and walks through every view and serializer: a process makes it once for each format and language."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *_args: Any, **_kwargs: Any) -> HttpResponse:
        renderer = request.accepted_renderer
        wanted = request.GET.get("lang", "")
        language = wanted if wanted in dict(settings.LANGUAGES) else translation.get_language() or "en"
        key = (renderer.media_type, language)
        with _making:
            if key not in _made:
                with translation.override(language):
                    described = self._get_schema_response(request).data
                    _made[key] = renderer.render(described, renderer.media_type, self.get_renderer_context())
        answer = HttpResponse(_made[key], content_type=renderer.media_type)
        answer["Content-Disposition"] = f'inline; filename="parlance.{renderer.format}"'
        return answer
