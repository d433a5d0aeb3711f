from __future__ import annotations

from django.urls import path

from apps.extraction.pages import review

app_name = "extraction"
urlpatterns = [
    path("review/", review.ReviewPage.as_view(), name="review"),
    path("review/runs/<uuid:run_id>/", review.RunFragment.as_view(), name="run"),
    path("review/proposals/<uuid:proposal_id>/", review.ProposalFragment.as_view(), name="proposal"),
]
