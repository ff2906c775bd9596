from django.urls import include, path

from watched import answers, streams, views

urlpatterns = [
    path("plain/", views.plain, name="plain"),
    path("later/", views.later, name="later"),
    path("item/<int:number>/", views.item, name="item"),
    path("boom/", views.boom, name="boom"),
    path("lookup/", views.lookup, name="lookup"),
    path("broken-sql/", views.broken_sql, name="broken-sql"),
    path("leak/", views.leak, name="leak"),
    path("order/", views.order, name="order"),
    path("hold/", views.hold, name="hold"),
    path("hold-connection/", views.hold_connection, name="hold-connection"),
    path("stream/<str:kind>/", streams.sync, name="stream"),
    path("stream-async/<str:kind>/", streams.asynchronous, name="stream-async"),
    path("answer/<str:way>/<str:model>/", answers.answer, name="answer"),
    path("left-over/", answers.left_over, name="left-over"),
    path("shop/", include("watched.shop.urls")),
]
