"""Django settings, all from the environment (docs/operations.md lists the variables)."""

from __future__ import annotations

import hashlib
import os
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from csp.constants import NONCE, NONE, SELF
from django.conf import global_settings
from django.utils.translation import gettext_lazy as _
from redis.backoff import NoBackoff
from redis.retry import Retry

from config import api_words, env
from config.enum_names import ENUM_NAMES
from config.secret import secret_key
from config.shipped import *  # noqa: F403
from config.sign_in import *  # noqa: F403  (Django reads every name in capitals)

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.text("PARLANCE_DATA_DIR", str(BASE_DIR / "var"))).resolve()

DEBUG = env.flag("PARLANCE_DEBUG")
TESTING = env.flag("PARLANCE_TESTING")
SECRET_KEY = secret_key(DATA_DIR)

# Every lease, time-out and sweep multiplies by this: drills in their short form run the same code in a twentieth of the time.
PARLANCE_TIME_SCALE = env.number("PARLANCE_TIME_SCALE", 1.0)
PARLANCE_URL, PARLANCE_PORT = env.address(DATA_DIR, is_test=TESTING)
PARLANCE_ALLOW_PRIVATE_ADDRESSES = env.words("PARLANCE_ALLOW_PRIVATE_ADDRESSES")
PARLANCE_OUTGOING_HOSTS = env.words("PARLANCE_OUTGOING_HOSTS")
PARLANCE_METRICS_TOKEN = env.text("PARLANCE_METRICS_TOKEN")
PARLANCE_KEYS_FILE = env.text("PARLANCE_KEYS_FILE", str(DATA_DIR / "keys.json"))
# Defaults for a size of installation: "", "laptop" or "cluster" (apps say what differs).
PARLANCE_PROFILE = env.text("PARLANCE_PROFILE")
IS_HTTPS = PARLANCE_URL.startswith("https://")

_own_host = urlsplit(PARLANCE_URL).hostname or "localhost"
ALLOWED_HOSTS = sorted({_own_host, "localhost", "127.0.0.1", "[::1]", *env.words("PARLANCE_ALLOWED_HOSTS")})
CSRF_TRUSTED_ORIGINS = [PARLANCE_URL, *env.words("PARLANCE_TRUSTED_ORIGINS")]

INSTALLED_APPS = [
    "apps.web",
    "apps.gateway",
    "apps.packs",
    "apps.workflows",
    "apps.extraction",
    "apps.conversations",
    "apps.agents",
    "apps.live",
    "apps.bulk",
    "apps.llm",
    "apps.files",
    "apps.accounts",
    "apps.core",
    *env.words("PARLANCE_EXTRA_APPS"),
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.socialaccount.providers.github",
    "channels",
    "csp",
    "django_celery_beat",
    "django_htmx",
    "django_prometheus",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "guardian",
    "rest_framework",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
# Apps that are not there yet are left out, so that a checkout of any commit starts.
_ours = {f"apps.{path.parent.name}" for path in BASE_DIR.glob("apps/*/apps.py")}
INSTALLED_APPS = [name for name in INSTALLED_APPS if not name.startswith("apps.") or name in _ours]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "apps.core.correlation.CorrelationMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "apps.core.middleware.ContentPolicyMiddleware",
    "apps.core.middleware.PolicyHeadersMiddleware",
    "apps.core.middleware.CacheMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "apps.core.middleware.SlashMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "apps.accounts.middleware.PersonMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "apps.accounts.middleware.ActorMiddleware",
    "apps.web.middleware.ViewerLocaleMiddleware",
    "apps.accounts.middleware.PageDoorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "apps.core.middleware.DomainErrorMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    ["django.template.loaders.filesystem.Loader", "django.template.loaders.app_directories.Loader"],
                )
            ]
            if not DEBUG
            else ["django.template.loaders.filesystem.Loader", "django.template.loaders.app_directories.Loader"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "csp.context_processors.nonce",
                *(["apps.web.context.shell"] if (BASE_DIR / "apps/web/context.py").exists() else []),
            ],
        },
    }
]

# Database: the application runs as a role that may not change tables; migrations run as their owner.
_as_owner = env.flag("PARLANCE_AS_OWNER")
_services = env.running_services(DATA_DIR)
_url = env.text("DATABASE_URL") or _services.get("DATABASE_URL", "")
_owner_url = env.text("DATABASE_OWNER_URL") or (
    env.text("DATABASE_URL") or _services.get("DATABASE_OWNER_URL", "") or _url
)
if not _url:
    # Commands that need no database (`up`, `check`, `makemigrations`) still start; the others say that nothing answers here.
    _url = _owner_url = f"postgresql://parlance_app@/parlance?host={DATA_DIR}/not-started"
DATABASE_ROLES_DIFFER = _owner_url != _url
DATABASES = {"default": env.database(_owner_url if _as_owner else _url)}
# One empty round trip when a connection leaves the pool: after a restart of PostgreSQL no request meets a dead one.
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DB_POOL_SIZE, REQUEST_THREADS = env.integer("PARLANCE_DB_POOL", 12), env.integer("PARLANCE_REQUEST_THREADS", 32)
DATABASES["default"]["OPTIONS"] |= {
    "options": " ".join(
        [
            f"-c lock_timeout={int(2000 * max(PARLANCE_TIME_SCALE, 0.25))}",
            "-c statement_timeout=0" if _as_owner else "-c statement_timeout=15000",
            "-c idle_in_transaction_session_timeout=30000",
            # What is prepared is planned once a connection, not five times first: rights take longer to plan than to answer.
            "-c plan_cache_mode=force_generic_plan",
        ]
    ),
    "connect_timeout": 5,
    "prepare_threshold": 1_000_000,  # only what asks for it is prepared (core.compiled)
    # Over TCP: a database that vanished without a word is noticed in seconds, not when the kernel gives up.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    **(
        {}
        if _as_owner or TESTING
        # Who waits for a connection gets 503 within five seconds. A pool that failed to connect begins anew after two seconds:
        # its own default doubles the pauses for five minutes, and a database that was away for one would be missed for two.
        else {"pool": {"min_size": 1, "max_size": DB_POOL_SIZE, "timeout": 4, "max_idle": 120, "reconnect_timeout": 2}}
    ),
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Redis holds only what may be lost.
REDIS_URL = env.text("REDIS_URL") or _services.get("REDIS_URL", "redis://127.0.0.1:6379/0")
REDIS_PREFIX = env.text("PARLANCE_REDIS_PREFIX", "parlance:")
# A hint to a worker may wait twice (a stale connection, then a fresh one): with all the rest well below five seconds.
REDIS_TIMEOUT_SECONDS = 1.5
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": f"{REDIS_PREFIX}cache",
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1, "retry": Retry(NoBackoff(), 1)},
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": f"{REDIS_PREFIX}layer"},
    }
}

# Celery carries hints only; the record of work is a row (docs/adr/0003-work-is-a-row.md).
CELERY_BROKER_URL = (
    REDIS_URL if REDIS_URL.startswith("redis") else f"redis+socket://{REDIS_URL.removeprefix('unix://')}"
)
if CELERY_BROKER_URL.startswith("redis+socket://") and "?db=" in CELERY_BROKER_URL:
    CELERY_BROKER_URL = CELERY_BROKER_URL.replace("?db=", "?virtual_host=")
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "global_keyprefix": REDIS_PREFIX,
    "socket_timeout": REDIS_TIMEOUT_SECONDS,
    "socket_connect_timeout": REDIS_TIMEOUT_SECONDS,
    "socket_keepalive": True,
    "queue_order_strategy": "priority",
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "jobs"
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"

# People
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
if TESTING:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *PASSWORD_HASHERS]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "apps.accounts.passwords.LikenessValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "apps.accounts.passwords.OwnWordsValidator"},
]
# Words that are too near to be a password here, beside those of the address: the product's, and what an operator adds.
PARLANCE_PASSWORD_WORDS = ["parlance", *env.words("PARLANCE_PASSWORD_WORDS")]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if IS_HTTPS else "http"
ACCOUNT_RATE_LIMITS = False  # one limiter for everything: accounts.limits and accounts.services.sessions
# Open on one's own machine, by invitation at a public address: nobody gets in by default where everybody can knock.
PARLANCE_SIGN_UP = env.text(
    "PARLANCE_SIGN_UP", "open" if _own_host in {"localhost", "127.0.0.1", "::1"} else "invitation"
)
PARLANCE_BEHIND_PROXY = env.flag("PARLANCE_BEHIND_PROXY")
PARLANCE_SIGN_IN_LIMITS = {  # wrong passwords in five minutes
    "account": env.integer("PARLANCE_SIGN_IN_LIMIT_ACCOUNT", 10),
    "address": env.integer("PARLANCE_SIGN_IN_LIMIT_ADDRESS", 30),
}
PARLANCE_SIGN_IN_RISK = env.sign_in_risk()
PARLANCE_GEOIP_FILE = env.text("PARLANCE_GEOIP_FILE")
# Tokens a second and how many fit in (docs/limits.md).
PARLANCE_LIMITS: dict[str, tuple[float, float]] = {
    name: env.rate(f"PARLANCE_LIMIT_{name.upper()}", default)
    for name, default in {"person": "10/20", "key": "10/20", "organization": "100/200", "address": "10/20"}.items()
    if env.flag("PARLANCE_LIMITS", default=not TESTING)
}
PARLANCE_TOKEN_SESSION_SECONDS = 60 * 60 * 24 * 30
# A session that nobody used for so long is over; organizations may ask for less. 0: it lives its thirty days.
PARLANCE_SESSION_IDLE_MINUTES = env.integer("PARLANCE_SESSION_IDLE_MINUTES", 60 * 24 * 14)
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=10),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=30),
    "ALGORITHM": "HS256",
    "SIGNING_KEY": hashlib.sha256(b"parlance.jwt:" + SECRET_KEY.encode()).hexdigest(),
    "ISSUER": PARLANCE_URL,
    "AUDIENCE": "parlance",
    "LEEWAY": 0,
    "USER_ID_CLAIM": "sub",
    "CHECK_REVOKE_TOKEN": False,
}
GUARDIAN_MONKEY_PATCH_USER = False
ANONYMOUS_USER_NAME = None

SESSION_ENGINE = "apps.accounts.sessions"
SESSION_COOKIE_NAME = "__Host-session" if IS_HTTPS else "parlance_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_AGE = 60 * 60 * 24 * 30
CSRF_COOKIE_NAME = "__Host-csrf" if IS_HTTPS else "parlance_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "apps.core.handlers.csrf_failure"
LANGUAGE_COOKIE_NAME = "__Host-language" if IS_HTTPS else "parlance_language"
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
MESSAGE_STORAGE = "apps.web.notices.NoticeStorage"
NOTICE_COOKIE_NAME = "__Host-notices" if IS_HTTPS else "parlance_notices"

DEVICE_COOKIE_NAME = "__Host-device" if IS_HTTPS else "parlance_device"
# Headers
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = IS_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PARLANCE_BEHIND_PROXY else None
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "media-src": [SELF, "blob:"],
        "frame-src": [SELF],
        "manifest-src": [SELF],
        "worker-src": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "require-trusted-types-for": ["'script'"],
        "trusted-types": ["default", "dompurify", "parlance-fragments"],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

# API
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.accounts.api.authentication.ActorAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["apps.core.rendering.FastJSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.core.parsing.BoundedJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "apps.core.api.problem_response",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "DEFAULT_THROTTLE_CLASSES": ["apps.accounts.api.throttling.ActorThrottle"],
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Parlance",
    **api_words.SHOWN,
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "GET_LIB_DOC_EXCLUDES": "apps.core.schema.whose_words_are_for_developers",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.core.schema.add_problems",
    ],
    "ENUM_NAME_OVERRIDES": ENUM_NAMES,
}

# Files
STATIC_URL = "/static/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "apps.web.static_files.HashedStorage"},
}
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [*global_settings.STATICFILES_FINDERS, "apps.web.static_files.SheetFinder"]
STATIC_ROOT = env.text("PARLANCE_STATIC_ROOT", str(DATA_DIR / "static"))
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_ALLOW_ALL_ORIGINS = False
MEDIA_ROOT = DATA_DIR / "files"
PARLANCE_MAX_FILE_BYTES = env.integer("PARLANCE_MAX_FILE_MB", 50) * 1024 * 1024
PARLANCE_MAX_IMPORT_BYTES = env.integer("PARLANCE_MAX_IMPORT_MB", 2 * 1024) * 1024 * 1024
PARLANCE_FILE_QUOTA_BYTES = env.integer("PARLANCE_FILE_QUOTA_MB", 10 * 1024) * 1024 * 1024
PARLANCE_MAX_IMAGE_PIXELS = env.integer("PARLANCE_MAX_IMAGE_MEGAPIXELS", 100) * 1_000_000

# Words and time
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("de", _("German"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["config.formats"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# Mail
EMAIL_HOST = env.text("EMAIL_HOST")
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend" if EMAIL_HOST else "apps.core.mail_log.EmailBackend"
EMAIL_PORT = env.integer("EMAIL_PORT", 587)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS", default=True)
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", f"Parlance <parlance@{_own_host}>")

LOGGING_CONFIG = "apps.core.logs.configure"
LOGGING = {"level": env.text("PARLANCE_LOG_LEVEL", "INFO"), "format": env.text("PARLANCE_LOG_FORMAT", "json")}

SILENCED_SYSTEM_CHECKS = ["guardian.W001", "auth.W004"]  # e-mail is unique by a constraint on its lower case
PROCESS_ROLE = env.text("PARLANCE_ROLE", "command")
CONFIG_DIGEST = hashlib.sha256(os.fsencode(str(DATA_DIR))).hexdigest()[:12]
