"""The actions of the shop's customers and of its support staff."""

from __future__ import annotations

from openedx_events.event_bus import get_producer

from examples.commerce.models import Order
from examples.platform_events.signals import ORDER_REFUNDED


def buy(order_number: str, user_id: int, course_key: str, amount_cents: int) -> None:
    Order(order_number=order_number, user_id=user_id, course_key=course_key, amount_cents=amount_cents).fulfil()


def refund(order_number: str) -> None:
    """
    Refund an order. May be called twice for the same order, because the shop's page does not prevent a second click.
    """
    Order.objects.get(order_number=order_number).refund()


def send_refund_again(order_number: str) -> None:
    """
    Send the event about an order's refund twice, with the same id. A relay does the same if it ends after Kafka's
    confirmation and before its own commit.
    """
    metadata = ORDER_REFUNDED.generate_signal_metadata()
    for _ in range(2):
        get_producer().send(
            signal=ORDER_REFUNDED,
            topic="commerce-order-lifecycle",
            event_key_field="order.order_number",
            event_data={"order": Order.objects.get(order_number=order_number).as_data()},
            event_metadata=metadata,
        )
