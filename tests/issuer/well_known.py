"""What Google, Microsoft and GitHub answer, over HTTP on this machine: their addresses, parameters and shapes, as they document them.

https://developers.google.com/identity/openid-connect/openid-connect ·
https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc ·
https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings

CLIENT_ID, SECRET = "client-of-ours", "secret-of-ours"
TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"


class WellKnown(ThreadingHTTPServer):
    """``claims`` is what the ID token says and the profile too but for ``profile``, ``emails`` what GitHub lists, ``asked`` every request."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.claims, self.emails, self.profile = {}, [], {}
        self.key_id = "1"
        self.asked, self.granted, self.tokens = [], {}, set()

    def issuer(self, kind):
        return {"google": self.url, "microsoft": f"{self.url}/common/v2.0", "github": self.url}[kind]

    def paths(self):
        return [path for path, _values in self.asked]

    def sign_in(self, client, slug, *, query=""):
        """The way of a browser: to the provider, which knows who it is, and back."""
        away = client.get(f"/accounts/sso/{slug}/{query}")
        assert away.status_code == 302, away.content.decode()[:1000]
        back = self.authorize(away["Location"])
        return client.get(back)

    def authorize(self, location):
        assert location.startswith(self.url), location
        values = dict(parse_qsl(urlsplit(location).query))
        assert values["client_id"] == CLIENT_ID
        assert values["redirect_uri"].startswith(settings.PARLANCE_URL)
        self.asked.append((urlsplit(location).path, values))
        code = secrets.token_urlsafe(8)
        self.granted[code] = values
        parts = urlsplit(values["redirect_uri"])
        return f"{parts.path}?{urlencode({'code': code, 'state': values['state']})}"


class Handler(BaseHTTPRequestHandler):
    server: WellKnown

    def log_message(self, *_):
        pass

    def do_GET(self):
        path, base = urlsplit(self.path).path, self.server.url
        self.server.asked.append((path, dict(self.headers)))
        match path:
            case "/.well-known/openid-configuration":
                self.answer(self.discovery(base, "/o/oauth2/v2/auth", "/token", "/oauth2/v3/certs", "/v1/userinfo"))
            case "/common/v2.0/.well-known/openid-configuration":
                issuer = f"{base}/{{tenantid}}/v2.0"
                places = "/common/oauth2/v2.0/authorize", "/common/oauth2/v2.0/token", "/common/discovery/v2.0/keys"
                self.answer(self.discovery(issuer, *places, "/oidc/userinfo"))
            case "/oauth2/v3/certs" | "/common/discovery/v2.0/keys":
                public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.server.key.public_key()))
                self.answer({"keys": [public | {"kid": self.server.key_id, "use": "sig", "alg": "RS256"}]})
            case "/v1/userinfo" | "/oidc/userinfo" if self.bearer("Bearer"):
                told = {name: self.server.claims.get(name) for name in ("sub", "email", "name", "email_verified")}
                self.answer(told | self.server.profile)
            case "/api/v3/user" if self.bearer("token"):
                self.answer(self.server.claims)
            case "/api/v3/user/emails" if self.bearer("token"):
                self.answer(self.server.emails)
            case _:
                self.answer({"message": "Bad credentials"}, status=401)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        sent, path = {name: values[-1] for name, values in parse_qs(body).items()}, urlsplit(self.path).path
        self.server.asked.append((path, sent))
        granted = self.server.granted.pop(sent.get("code"), None)
        digest = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        is_ours = (sent.get("client_id"), sent.get("client_secret")) == (CLIENT_ID, SECRET)
        if not granted or not is_ours or granted["code_challenge"] != challenge:
            self.answer({"error": "invalid_grant"}, status=400)
            return
        token = secrets.token_urlsafe(8)
        self.server.tokens.add(token)
        if path == "/login/oauth/access_token":  # GitHub answers as a form unless it is asked otherwise
            self.answer(urlencode({"access_token": token, "scope": "user:email", "token_type": "bearer"}))
        else:
            self.answer(
                {"access_token": token, "token_type": "Bearer", "expires_in": 3599, "id_token": self.id_token()}
            )

    def id_token(self):
        now, claims = int(time.time()), self.server.claims
        issuer = f"{self.server.url}/{TENANT}/v2.0" if "tid" in claims else self.server.url
        whole = {"iss": issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 3600} | claims
        return jwt.encode(whole, self.server.key, algorithm="RS256", headers={"kid": self.server.key_id})

    def discovery(self, issuer, authorize, token, keys, profile):
        base = self.server.url
        return {
            "issuer": issuer,
            "authorization_endpoint": base + authorize,
            "token_endpoint": base + token,
            "jwks_uri": base + keys,
            "userinfo_endpoint": base + profile,
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }

    def bearer(self, kind):
        name, _space, token = self.headers.get("Authorization", "").partition(" ")
        return name == kind and token in self.server.tokens

    def answer(self, content, status=200):
        is_form = isinstance(content, str)
        body = content.encode() if is_form else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-www-form-urlencoded" if is_form else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def running():
    with WellKnown() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
