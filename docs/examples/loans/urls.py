"""Where the views are. `/idv` is what `[webhooks] url` in idv.toml says."""

from django.urls import path

from . import views

urlpatterns = [
    path("", views.apply, name="apply"),
    path("loans/<uuid:id>", views.show, name="loan"),
    path("loans/<uuid:id>/go", views.go, name="go"),
    path("loans/<uuid:id>/documents", views.upload, name="upload"),
    path("idv/<str:account>/<path:rest>", views.webhook),
]
