"""The applicant's pages, and where the vendor calls."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csrf import csrf_exempt

from idv_core import Document
from idv_core.applicant_words import sentences
from idv_core.errors import IdvError, InvalidOrder, WebhookRejected
from idv_core.webhooks import WebhookRequest, WebhookResponse

from . import verification
from .models import Loan


class LoanForm(forms.ModelForm):
    class Meta:
        model = Loan
        fields = ("given_name", "family_name", "email", "country")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not self.errors:
            try:
                verification.order_of(Loan(**cleaned))
            except ValueError as error:
                raise forms.ValidationError(str(error)) from None
        return cleaned


class UploadForm(forms.Form):
    document = forms.FileField()
    selfie = forms.FileField()


def apply(request: HttpRequest) -> HttpResponse:
    """The loan and its order: both, or in the end both. See `take_missing`."""
    form = LoanForm(request.POST or None)
    if not form.is_valid():
        return render(request, "loans/apply.html", {"form": form}, status=400 if form.is_bound else 200)
    with transaction.atomic():
        loan = form.save()
        transaction.on_commit(lambda: verification.take(loan))
    return redirect("loan", loan.id)


def show(request: HttpRequest, id: UUID) -> HttpResponse:
    """How far it is. The page reloads itself until there is something to do."""
    loan = get_object_or_404(Loan, pk=id)
    found = verification.find(loan)
    result = found.result if found else None
    return render(
        request,
        "loans/loan.html",
        {
            "loan": loan,
            "is_open": found is not None and found.flow is not None and not loan.state,
            "told": [str(one) for one in sentences(result.reasons, "en")] if result else [],
            "form": UploadForm(),
        },
    )


def go(request: HttpRequest, id: UUID) -> HttpResponse:
    """To the vendor's page. The link is a secret of the applicant: show this view to nobody else."""
    found = verification.find(get_object_or_404(Loan, pk=id))
    link = found.flow.link if found and found.flow else None
    if link is None:
        return redirect("loan", id)
    response = HttpResponseRedirect(link.url.reveal())
    response["referrer-policy"] = "no-referrer"
    return response


def upload(request: HttpRequest, id: UUID) -> HttpResponse:
    """Documents from a form, for vendors that take them."""
    loan = get_object_or_404(Loan, pk=id)
    found = verification.find(loan)
    form = UploadForm(request.POST, request.FILES)
    if found is not None and form.is_valid():
        pictures = [
            Document("document", content=form.cleaned_data["document"]),
            Document.selfie(content=form.cleaned_data["selfie"]),
        ]
        try:
            verification.tracker().upload(found.id, pictures)
            verification.tracker().submit(found.id)
            return redirect("loan", id)
        except InvalidOrder:
            form.add_error(None, "The vendor does not take these files. Photograph the document again.")
        except IdvError:
            form.add_error(None, "This does not work at the moment. Try again in a minute.")
    return render(request, "loans/loan.html", {"loan": loan, "is_open": True, "form": form}, status=400)


@csrf_exempt
def webhook(request: HttpRequest, account: str, rest: str) -> HttpResponse:
    """`ledger.hint` stores the call and makes its verification due, in whichever process tracks it."""
    call = WebhookRequest(
        method=request.method,
        path=rest,
        headers=dict(request.headers),
        query=request.GET.dict(),
        body=request.body,
    )
    try:
        with verification.gateway().receiving(account, call) as received:
            verification.ledger().hint(received)
        answer = received.answer
    except WebhookRejected as error:
        answer = WebhookResponse.of(error)
    return HttpResponse(answer.body, status=answer.status, headers=dict(answer.headers))
