from django.urls import path

from watched import views

urlpatterns = [
    path("plain/", views.plain, name="plain"),
    path("later/", views.later, name="later"),
    path("item/<int:number>/", views.item, name="item"),
    path("boom/", views.boom, name="boom"),
    path("lookup/", views.lookup, name="lookup"),
    path("broken-sql/", views.broken_sql, name="broken-sql"),
    path("order/", views.order, name="order"),
    path("hold/", views.hold, name="hold"),
    path("hold-connection/", views.hold_connection, name="hold-connection"),
]
