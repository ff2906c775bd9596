"""Signing in by password or by a one-time link, and out."""

from __future__ import annotations

from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from opsconsole.operations import access, console

_LINKS_LOG_IN_AS = "django.contrib.auth.backends.ModelBackend"


class SignIn(LoginView):
    template_name = "web/sign_in.html"
    redirect_authenticated_user = True


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_link(request: HttpRequest, token: str) -> HttpResponse:
    """A link lets in once.  Looking at it does not use it up, because chats and mail scanners look at links."""
    if request.method != "POST":
        return render(request, "web/sign_in_link.html")
    user = access.redeem(token, console.current().clock.now_ms())
    if user is None:
        return render(request, "web/sign_in_link.html", {"spent": True}, status=410)
    login(request, user, backend=_LINKS_LOG_IN_AS)
    return redirect("home")


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("sign-in")
