"""What the platform keeps of a loan."""

from __future__ import annotations

from uuid import uuid4

from django.db import models


class Loan(models.Model):
    """An application. `state`, `decision` and `flow_ref` are what the ledger told last."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    given_name = models.CharField(max_length=100)
    family_name = models.CharField(max_length=100)
    email = models.EmailField()
    country = models.CharField(max_length=2, help_text="two letters, such as CO")
    state = models.CharField(max_length=20, blank=True, editable=False)
    decision = models.CharField(max_length=20, blank=True, editable=False)
    flow_ref = models.TextField(blank=True, editable=False)
