"""Requests and events that a server has to refuse, each with the field it has to name."""

import dataclasses
import typing

from google.protobuf.timestamp_pb2 import Timestamp

HOUR = 3600
LONG = "x" * 129


@dataclasses.dataclass
class Case:
    name: str
    method: typing.Any
    request: typing.Any
    field: str


def requests(shop):
    """Refused with INVALID_ARGUMENT and google.rpc.BadRequest."""
    return [*of_features(shop), *of_shoppers(shop), *of_catalog(shop), *of_candidates(shop), *of_recovery(shop)]


def of_features(shop):
    pb, push, get = shop.pb.features, shop.events.PushEvents, shop.features.GetFeatures
    event = shop.event(f"bad-{shop.run}", "VIEW", "1", 60)
    one = [pb.Entity(shopper_id="s")]
    known = ["shopper.view_count_24h"]
    batch = shop.pb.events.PushEventsRequest
    return [
        Case("push without events", push, batch(), "events"),
        Case("push of 1,001 events", push, batch(events=[event] * 1001), "events"),
        Case("features of no entity", get, pb.GetFeaturesRequest(features=known), "entities"),
        Case("features of 257 entities", get, pb.GetFeaturesRequest(entities=one * 257, features=known), "entities"),
        Case("an entity without id", get, pb.GetFeaturesRequest(entities=[*one, pb.Entity()], features=known),
             "entities[1]"),
        Case("an entity with a long id", get,
             pb.GetFeaturesRequest(entities=[pb.Entity(shopper_id=LONG)], features=known), "entities[0].shopper_id"),
        Case("no features and nothing included", get, pb.GetFeaturesRequest(entities=one), "features"),
        Case("257 features", get, pb.GetFeaturesRequest(entities=one, features=known * 257), "features"),
        Case("an unknown feature", get, pb.GetFeaturesRequest(entities=one, features=["shopper.view_cuont_24h"]),
             "features[0]"),
        Case("the cart of nobody", shop.features.GetCart, pb.GetCartRequest(), "shopper_id"),
        Case("the cart of a long id", shop.features.GetCart, pb.GetCartRequest(shopper_id=LONG), "shopper_id"),
        Case("a time that is none", shop.features.GetCart,
             pb.GetCartRequest(shopper_id="s", now=Timestamp(seconds=1, nanos=-1)), "now"),
    ]


def of_shoppers(shop):
    pb, profile, consent = shop.pb.shoppers, shop.shoppers.SetProfile, shop.shoppers.SetConsent
    grant = pb.Consent(purpose="marketing", channel="email", granted=True, wording="v1")

    def changed(**fields):
        other = pb.Consent()
        other.CopyFrom(grant)
        for name, value in fields.items():
            setattr(other, name, value)
        return pb.SetConsentRequest(shopper_id="s", consents=[grant, other])

    return [
        Case("a profile of nobody", profile, pb.SetProfileRequest(time_zone="Europe/Berlin"), "shopper_id"),
        Case("an unknown time zone", profile, pb.SetProfileRequest(shopper_id="s", time_zone="Europe/Atlantis"),
             "time_zone"),
        Case("an unknown channel", profile, pb.SetProfileRequest(shopper_id="s", channels=["email", "pigeon"]),
             "channels"),
        Case("an unknown jurisdiction", profile, pb.SetProfileRequest(shopper_id="s", jurisdiction="germany"),
             "jurisdiction"),
        Case("no consents", consent, pb.SetConsentRequest(shopper_id="s"), "consents"),
        Case("33 consents", consent, pb.SetConsentRequest(shopper_id="s", consents=[grant] * 33), "consents"),
        Case("consent to an unknown purpose", consent, changed(purpose="fun"), "consents[1].purpose"),
        Case("consent on an unknown channel", consent, changed(channel="pigeon"), "consents[1].channel"),
        Case("a grant without wording", consent, changed(wording=""), "consents[1].wording"),
        Case("the portrait of nobody", shop.shoppers.GetProfile, pb.GetProfileRequest(), "shopper_id"),
        Case("an erasure of nobody", shop.shoppers.EraseShopper, pb.EraseShopperRequest(), "shopper_id"),
        Case("an erasure of a long id", shop.shoppers.EraseShopper, pb.EraseShopperRequest(shopper_id=LONG),
             "shopper_id"),
        Case("an erasure of an id with a control character", shop.shoppers.EraseShopper,
             pb.EraseShopperRequest(shopper_id="a\x1fb"), "shopper_id"),
        Case("an export of nobody", lambda request: list(shop.shoppers.ExportShopper(request)),
             pb.ExportShopperRequest(), "shopper_id"),
    ]


def of_catalog(shop):
    pb = shop.pb.catalog
    item = pb.Item(item_id="1", name="one")
    return [
        Case("upsert of no items", shop.catalog.UpsertItems, pb.UpsertItemsRequest(), "items"),
        Case("upsert of 1,001 items", shop.catalog.UpsertItems, pb.UpsertItemsRequest(items=[item] * 1001), "items"),
        Case("availability of no items", shop.catalog.SetAvailability, pb.SetAvailabilityRequest(), "items"),
        Case("no items to get", shop.catalog.GetItems, pb.GetItemsRequest(), "item_ids"),
    ]


def of_candidates(shop):
    pb, retrieve = shop.pb.candidates, shop.candidates.Retrieve
    recent = [pb.RecentInteraction(item_id="1", event_type=2)]

    def query(**fields):
        return pb.RetrieveRequest(**{"recent_items": recent, **fields})

    return [
        Case("neither shopper nor recent items", retrieve, pb.RetrieveRequest(k=5), "shopper_id"),
        Case("both shopper and recent items", retrieve, query(shopper_id="s"), "shopper_id"),
        Case("201 recent items", retrieve, query(recent_items=recent * 201), "recent_items"),
        Case("a recent item without id", retrieve, query(recent_items=[*recent, pb.RecentInteraction()]),
             "recent_items[1].item_id"),
        Case("1,001 exclusions", retrieve, query(exclude=["1"] * 1001), "exclude"),
        Case("k of 1,001", retrieve, query(k=1001), "k"),
        Case("a price range that is empty", retrieve,
             query(filter=pb.Filter(min_price_minor=10, max_price_minor=5)), "filter.min_price_minor"),
        Case("similar to nothing", shop.candidates.SimilarItems, pb.SimilarItemsRequest(), "item_id"),
    ]


def of_recovery(shop):
    pb, decide, rank = shop.pb.recovery, shop.recovery.Decide, shop.recovery.Rank
    line = shop.pb.features.CartLine

    def ask(**fields):
        return pb.DecideRequest(**{"shopper_id": "s", **fields})

    def cart(**fields):
        good = line(item_id="1", quantity=1)
        return ask(cart=[good, good, line(**{"item_id": "2", **fields})])

    campaigns, upsert = shop.pb.campaigns, shop.recovery.UpsertCampaign
    attributes = {f"key-{number}": "value" for number in range(33)}
    commit = pb.DecideRequest.COMMIT
    return [
        Case("decide for nobody", decide, pb.DecideRequest(), "shopper_id"),
        Case("decide for a long id", decide, ask(shopper_id=LONG), "shopper_id"),
        Case("commit without request_id", decide, ask(mode=commit), "request_id"),
        Case("a long request_id", decide, ask(request_id=LONG), "request_id"),
        Case("an unknown mode", decide, ask(mode=7), "mode"),
        Case("201 cart lines", decide, ask(cart=[line(item_id="1")] * 201), "cart"),
        Case("a line without item", decide, cart(item_id=""), "cart[2].item_id"),
        Case("a line of 10,001 units", decide, cart(quantity=10_001), "cart[2].quantity"),
        Case("a negative price", decide, cart(price_minor=-1, currency="EUR"), "cart[2].price_minor"),
        Case("a price without currency", decide, cart(price_minor=100), "cart[2].currency"),
        Case("a currency that is none", decide, cart(price_minor=100, currency="euro"), "cart[2].currency"),
        Case("an unknown channel", decide, ask(context=pb.Context(channel="pigeon")), "context.channel"),
        Case("33 attributes", decide, ask(context=pb.Context(attributes=attributes)), "context.attributes"),
        Case("a long attribute", decide, ask(context=pb.Context(attributes={"key": "x" * 257})),
             "context.attributes[key]"),
        Case("a time that is none", decide, ask(now=Timestamp(seconds=2**60)), "now"),
        Case("an empty batch", shop.recovery.DecideBatch, pb.DecideBatchRequest(), "requests"),
        Case("a batch of 257", shop.recovery.DecideBatch, pb.DecideBatchRequest(requests=[ask()] * 257), "requests"),
        Case("no campaign", upsert, campaigns.UpsertCampaignRequest(), "campaign"),
        Case("a campaign without offer", upsert, campaigns.UpsertCampaignRequest(
             campaign=campaigns.Campaign(id="c", starts_at=Timestamp(seconds=1), ends_at=Timestamp(seconds=2))),
             "campaign.offer"),
        Case("a campaign without limit", upsert, campaigns.UpsertCampaignRequest(campaign=campaigns.Campaign(
             id="c", starts_at=Timestamp(seconds=1), ends_at=Timestamp(seconds=2),
             percent=campaigns.PercentOff(percent_off=0.1))), "campaign.percent.max_discount_minor"),
        Case("a campaign that ends before it starts", upsert, campaigns.UpsertCampaignRequest(
             campaign=campaigns.Campaign(id="c", starts_at=Timestamp(seconds=2), ends_at=Timestamp(seconds=1),
                                         fixed=campaigns.AmountOff(amount_minor=1))), "campaign.ends_at"),
        Case("a campaign without id to get", shop.recovery.GetCampaign, campaigns.GetCampaignRequest(), "id"),
        Case("a coupon without code", shop.recovery.RedeemCoupon,
             shop.pb.offers.RedeemCouponRequest(order_id="o"), "code"),
        Case("a coupon for no order", shop.recovery.RedeemCoupon,
             shop.pb.offers.RedeemCouponRequest(code="c"), "order_id"),
        Case("a coupon of a long id", shop.recovery.RedeemCoupon,
             shop.pb.offers.RedeemCouponRequest(code="c", order_id="o", shopper_id=LONG), "shopper_id"),
        Case("a link without token", shop.recovery.RestoreCart, shop.pb.offers.RestoreCartRequest(), "token"),
        Case("a token of 257 bytes", shop.recovery.RestoreCart,
             shop.pb.offers.RestoreCartRequest(token="t" * 257), "token"),
        Case("1,001 dead letters", shop.recovery.ListDeadLetters,
             shop.pb.webhooks.ListDeadLettersRequest(limit=1001), "limit"),
        Case("no dead letter to redrive", shop.recovery.RedriveDeadLetters,
             shop.pb.webhooks.RedriveDeadLettersRequest(), "decision_ids"),
        Case("all dead letters and one", shop.recovery.RedriveDeadLetters,
             shop.pb.webhooks.RedriveDeadLettersRequest(all=True, decision_ids=["d"]), "decision_ids"),
        Case("a decision about nobody", shop.recovery.GetDecision, pb.GetDecisionRequest(decision_id="d"), "shopper_id"),
        Case("no decision to get", shop.recovery.GetDecision, pb.GetDecisionRequest(shopper_id="s"), "decision_id"),
        Case("no reports", shop.recovery.ReportOutcomes, shop.pb.outcomes.ReportOutcomesRequest(), "reports"),
        Case("1,001 reports", shop.recovery.ReportOutcomes,
             shop.pb.outcomes.ReportOutcomesRequest(reports=[shop.pb.outcomes.OutcomeReport()] * 1001), "reports"),
        Case("rank for neither shopper nor cart", rank, pb.RankRequest(item_ids=["1"]), "shopper_id"),
        Case("rank for both", rank, pb.RankRequest(shopper_id="s", cart=[line(item_id="1")], item_ids=["2"]),
             "shopper_id"),
        Case("rank nothing", rank, pb.RankRequest(shopper_id="s"), "item_ids"),
        Case("rank 1,001 items", rank, pb.RankRequest(shopper_id="s", item_ids=["1"] * 1001), "item_ids"),
        Case("rank an item without id", rank, pb.RankRequest(shopper_id="s", item_ids=["1", ""]), "item_ids[1]"),
    ]


def reports(shop):
    """Refused one by one in the answer of ReportOutcomes: (name, report, field)."""
    pb = shop.pb.outcomes

    def report(**fields):
        return pb.OutcomeReport(**{"shopper_id": "s", "decision_id": "0" * 32, "kind": "OPENED", **fields})

    def order(**fields):
        return report(**{"kind": "RECOVERED", "order_id": "o", "value_minor": 1, "currency": "EUR", **fields})

    return [
        ("a report about nobody", report(shopper_id=""), "shopper_id"),
        ("a report about no decision", report(decision_id=""), "decision_id"),
        ("a report about an unknown decision", report(), "decision_id"),
        ("a report of no kind", report(kind=0), "kind"),
        ("a report of an unknown kind", report(kind=99), "kind"),
        ("a report with a long id", report(report_id=LONG), "report_id"),
        ("a report from the future", report(occurred_at=Timestamp(seconds=shop.now + HOUR)), "occurred_at"),
        ("an opening with a value", report(value_minor=5), "value_minor"),
        ("an order without id", order(order_id=""), "order_id"),
        ("an order without value", order(value_minor=0), "value_minor"),
        ("an order in no currency", order(currency="euro"), "currency"),
        ("a discount below nothing", order(discount_minor=-1), "discount_minor"),
        ("a refund without an id", order(kind="REFUND"), "report_id"),
        ("an unsubscription from pigeons", report(kind="UNSUBSCRIBE", channel="pigeon"), "channel"),
    ]


def events(shop):
    """Refused one by one in the answer of PushEvents: (name, event, field)."""
    shopper = f"bad-{shop.run}"
    newest = shop.event(f"late-{shop.run}", "VIEW", "1", 0)
    shop.push([newest])

    def view(**fields):
        event = shop.event(shopper, "VIEW", "1", 60)
        for name, value in fields.items():
            setattr(event, name, value)
        return event

    timeless = view()
    timeless.ClearField("occurred_at")
    return [
        ("an event without id", view(event_id=""), "event_id"),
        ("an event with a long id", view(event_id=LONG), "event_id"),
        ("an event of nobody", view(shopper_id=""), "shopper_id"),
        ("an event without type", view(type=0), "type"),
        ("an event of an unknown type", view(type=99), "type"),
        ("a view of nothing", view(item_id=""), "item_id"),
        ("10,001 units", view(quantity=10_001), "quantity"),
        ("a negative price", view(price_minor=-5, currency="EUR"), "price_minor"),
        ("a price without currency", view(price_minor=5), "currency"),
        ("a currency that is none", view(price_minor=5, currency="eur"), "currency"),
        ("a purchase without price", shop.event(shopper, "PURCHASE", "1", 60), "price_minor"),
        ("an event without time", timeless, "occurred_at"),
        ("an event from the future", shop.event(shopper, "VIEW", "1", -HOUR), "occurred_at"),
        ("an event two days late", shop.event(newest.shopper_id, "VIEW", "1", 48 * HOUR), "occurred_at"),
    ]
