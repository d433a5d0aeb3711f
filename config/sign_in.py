"""Settings of allauth: passwords, second factors."""

from __future__ import annotations

# People and their passwords
ACCOUNT_ADAPTER = "apps.accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
_forms = {"login": "SignIn", "signup": "SignUp", "reset_password": "Reset", "change_password": "ChangePassword"}
_forms |= {"reset_password_from_key": "NewPassword", "add_email": "ChangeEmail"}
ACCOUNT_FORMS = {name: f"apps.accounts.pages.forms.{form}Form" for name, form in _forms.items()}
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""

# Codes of an authenticator app, passkeys, recovery codes. Seeds are sealed (accounts.second_factor).
MFA_ADAPTER = "apps.accounts.second_factor.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_FORMS = {
    "authenticate": "apps.accounts.pages.code_forms.CodeForm",
    "reauthenticate": "apps.accounts.pages.code_forms.CodeAgainForm",
    "activate_totp": "apps.accounts.pages.code_forms.ActivateAppForm",
}
MFA_TOTP_ISSUER = "Parlance"
MFA_TOTP_TOLERANCE = 1
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_ALLOW_UNVERIFIED_EMAIL = True  # an organization may ask for a second factor before a mail was ever confirmed
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RATE_LIMITS = False  # accounts.services.second_factors counts guesses in rows
