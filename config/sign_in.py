"""Settings of allauth: passwords, second factors, other identity providers."""

from __future__ import annotations

from config import env

# People and their passwords
ACCOUNT_ADAPTER = "apps.accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
_forms = {"login": "SignIn", "signup": "SignUp", "reset_password": "Reset", "change_password": "ChangePassword"}
_forms |= {"reset_password_from_key": "NewPassword", "add_email": "ChangeEmail", "set_password": "SetPassword"}
ACCOUNT_FORMS = {name: f"apps.accounts.pages.forms.{form}Form" for name, form in _forms.items()}
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
PASSWORD_RESET_TIMEOUT = 60 * 60 * 3
ACCOUNT_REAUTHENTICATION_TIMEOUT = 60 * 15  # as accounts.services.fresh_proofs
ACCOUNT_REAUTHENTICATION_REQUIRED = True  # for another address, password or identity too
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True

# Codes of an authenticator app, passkeys, recovery codes. Seeds are sealed (accounts.second_factor).
MFA_ADAPTER = "apps.accounts.second_factor.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_FORMS = {
    "authenticate": "apps.accounts.pages.code_forms.CodeForm",
    "reauthenticate": "apps.accounts.pages.code_forms.CodeAgainForm",
    "activate_totp": "apps.accounts.pages.code_forms.ActivateAppForm",
}
MFA_TOTP_ISSUER = "Parlance"
MFA_TOTP_TOLERANCE = 0  # steps before and after that are taken too: none, a code lives half a minute
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_ALLOW_UNVERIFIED_EMAIL = True  # an organization may ask for a second factor before a mail was ever confirmed
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RATE_LIMITS = False  # accounts.services.second_factors counts guesses in rows

# Other identity providers: the platform's own from here, those of organizations from rows; nothing in allauth's tables.
SOCIALACCOUNT_ADAPTER = "apps.accounts.identity.adapter.SocialAccountAdapter"
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_QUERY_EMAIL = True
_tenant = env.text("PARLANCE_MICROSOFT_TENANT", "common")
_platform = {
    "google": ("Google", "google", "https://accounts.google.com", "PARLANCE_GOOGLE"),
    "github": ("GitHub", "github", env.text("PARLANCE_GITHUB_URL"), "PARLANCE_GITHUB"),
    "microsoft": ("Microsoft", "microsoft", f"https://login.microsoftonline.com/{_tenant}/v2.0", "PARLANCE_MICROSOFT"),
    "oidc": (
        env.text("PARLANCE_OIDC_NAME", "OpenID Connect"),
        "oidc",
        env.text("PARLANCE_OIDC_ISSUER"),
        "PARLANCE_OIDC",
    ),
}
PARLANCE_IDENTITY_PROVIDERS = {
    slug: {
        "name": name,
        "kind": kind,
        "issuer": issuer,
        "client_id": env.text(f"{prefix}_CLIENT_ID"),
        "secret": env.text(f"{prefix}_CLIENT_SECRET"),
    }
    for slug, (name, kind, issuer, prefix) in _platform.items()
    if env.text(f"{prefix}_CLIENT_ID")
}
