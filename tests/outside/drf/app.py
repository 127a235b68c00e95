"""A payments API in Django REST framework, one file: three paginations, four credentials, a throttle.

    app.py DATABASE seed ROWS          make the database
    app.py DATABASE dump               every row as the database has it, a JSON object a line
    app.py DATABASE serve PORT         serve it on loopback
"""

import json
import random
import sys
import time
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import django
from django.conf import settings

DATABASE, ACTION, *REST = sys.argv[1:]
FIRST_DAY = datetime(2026, 3, 16, tzinfo=timezone.utc)
DAYS = 3
TOKEN = "6f1b0c1f0e3a4d0f9a5b7c2d8e4f6a1b3c5d7e9f"

settings.configure(
    SECRET_KEY="only for tests", ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF=__name__, USE_TZ=True,
    TIME_ZONE="Asia/Kolkata",  # so that every timestamp carries +05:30
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATABASE}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework.authtoken", "drf_spectacular"],
    REST_FRAMEWORK={"DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
                    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
                    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"]},
    SIMPLE_JWT={"ACCESS_TOKEN_LIFETIME": timedelta(seconds=2)},
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils.dateparse import parse_datetime  # noqa: E402
from drf_spectacular.utils import OpenApiParameter, extend_schema  # noqa: E402
from drf_spectacular.views import SpectacularAPIView  # noqa: E402
from rest_framework import authentication, generics, pagination, serializers, throttling  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402
from rest_framework_simplejwt.authentication import JWTAuthentication  # noqa: E402
from rest_framework_simplejwt.views import TokenObtainPairView  # noqa: E402


class Payment(models.Model):
    id = models.CharField(primary_key=True, max_length=32)
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=16)
    refunded = models.BooleanField()
    attempts = models.IntegerField()
    note = models.TextField(null=True)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        app_label = "payments"


class PaymentSerializer(serializers.ModelSerializer):
    class Meta:
        model = Payment
        fields = "__all__"


class BearerAuthentication(authentication.TokenAuthentication):
    keyword = "Bearer"


class Numbered(pagination.PageNumberPagination):
    page_size, page_size_query_param, max_page_size = 100, "page_size", 200


class Offsets(pagination.LimitOffsetPagination):
    default_limit, max_limit = 100, 150  # caps what a client asks for


class Cursors(pagination.CursorPagination):
    page_size, ordering = 90, "created_at"  # several rows share an instant


class Throttle(throttling.UserRateThrottle):
    rate = "5/s"


@extend_schema(parameters=[OpenApiParameter("from", datetime), OpenApiParameter("to", datetime)])
class Payments(generics.ListAPIView):
    serializer_class = PaymentSerializer
    authentication_classes = [authentication.TokenAuthentication]

    def get_queryset(self):
        rows, q = Payment.objects.order_by("created_at", "id"), self.request.query_params
        if "from" in q:
            rows = rows.filter(created_at__gte=parse_datetime(q["from"]))
        if "to" in q:
            rows = rows.filter(created_at__lt=parse_datetime(q["to"]))
        return rows


class SlowPayments(Payments):
    """Slow enough that a token of two seconds dies on the way."""

    def get(self, *args, **kwargs):
        time.sleep(0.2)
        return super().get(*args, **kwargs)


view = Payments.as_view
urlpatterns = [
    path("api/numbered/", view(pagination_class=Numbered)),
    path("api/offsets/", view(pagination_class=Offsets, authentication_classes=[authentication.BasicAuthentication])),
    path("api/cursors/", view(pagination_class=Cursors, authentication_classes=[BearerAuthentication])),
    path("api/schema/", SpectacularAPIView.as_view(authentication_classes=[], permission_classes=[])),
    path("api/login/", TokenObtainPairView.as_view()),
    path("api/jwt/", SlowPayments.as_view(pagination_class=Numbered, authentication_classes=[JWTAuthentication])),
    path("api/throttled/", view(pagination_class=Numbered, throttle_classes=[Throttle])),
]


def seed(rows):
    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Payment)
    user = User.objects.create_user("lakeward", password="correct horse")
    Token.objects.create(user=user, key=TOKEN)
    r, made, at = random.Random(11), [], FIRST_DAY
    step = timedelta(days=DAYS) / rows
    for i in range(rows):
        if i % 7:  # every seventh shares the instant of the one before
            at = FIRST_DAY + step * i + timedelta(microseconds=r.randrange(1_000_000) * (i % 3 > 0))
        made.append(Payment(
            id=f"pay_{i:06d}{r.randrange(16**6):06x}", amount=Decimal(r.randrange(1, 10**10)) / 100,
            currency=r.choice(["INR", "INR", "USD"]), status=r.choice(["captured", "failed", "refunded"]),
            refunded=r.random() < 0.1, attempts=r.randrange(5),
            note=r.choice([None, "", "café ☕", 'a "quoted" note', "दूध 1 L"]), created_at=at))
    Payment.objects.bulk_create(made, batch_size=500)


def dump():
    for p in Payment.objects.order_by("id"):
        print(json.dumps({"id": p.id, "amount": str(p.amount), "currency": p.currency, "status": p.status,
                          "refunded": p.refunded, "attempts": p.attempts, "note": p.note,
                          "created_at": p.created_at.astimezone(timezone.utc).isoformat()}))


if __name__ == "__main__":
    if ACTION == "seed":
        seed(int(REST[0]))
    elif ACTION == "dump":
        dump()
    else:
        import waitress

        waitress.serve(get_wsgi_application(), host="127.0.0.1", port=int(REST[0]), threads=4)
