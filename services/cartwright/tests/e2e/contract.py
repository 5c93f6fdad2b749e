"""Calls three running roles the way a stranger would: a client made by the official protoc.

    pip install -r requirements.txt
    python3 contract.py --features 127.0.0.1:7101 --candidates 127.0.0.1:7102 --recovery 127.0.0.1:7103

Prints one line per check and `N passed, N failed`; exits 1 when a check failed.
"""

import argparse
import itertools
import sys
import threading
import time
import traceback
import uuid

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc_status import rpc_status

import malformed
import stubs

HOUR = 3600


class Report:
    """Counts the checks and prints each."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, name, holds, detail=""):
        self.passed += bool(holds)
        self.failed += not holds
        print(f"{'ok    ' if holds else 'FAILED'} {name}" + (f": {detail}" if detail and not holds else ""))


class Shop:
    """The stubs of all services, one channel per role, and makers of usual messages."""

    def __init__(self, pb, addresses):
        self.pb = pb
        self.addresses = addresses
        self.channels = {role: grpc.insecure_channel(address) for role, address in addresses.items()}
        features, candidates, recovery = (self.channels[r] for r in ("features", "candidates", "recovery"))
        self.events = pb.events_grpc.EventServiceStub(features)
        self.features = pb.features_grpc.FeatureServiceStub(features)
        self.shoppers = pb.shoppers_grpc.ShopperServiceStub(features)
        self.catalog = pb.catalog_grpc.CatalogServiceStub(features)
        self.candidates = pb.candidates_grpc.CandidateServiceStub(candidates)
        self.recovery = pb.recovery_grpc.RecoveryServiceStub(recovery)
        self.status = {role: pb.snapshots_grpc.SnapshotServiceStub(c) for role, c in self.channels.items()}
        # A run of its own never meets the shoppers of an earlier one.
        self.run = uuid.uuid4().hex[:8]
        # The roles may run on a simulated clock: all times here are relative to theirs.
        self.now = self.status["features"].GetStatus(pb.snapshots.GetStatusRequest()).now.seconds

    def event(self, shopper, kind, item, age, **fields):
        fields.setdefault("event_id", uuid.uuid4().hex)
        fields.setdefault("currency", "EUR" if fields.get("price_minor") else "")
        at = Timestamp(seconds=self.now - age)
        return self.pb.events.Event(shopper_id=shopper, type=kind, item_id=item, occurred_at=at, **fields)

    def push(self, events):
        answer = self.events.PushEvents(self.pb.events.PushEventsRequest(events=events))
        return [self.pb.events.EventResult.Status.Name(result.status) for result in answer.results]

    def read(self, shopper, names):
        """The row of one shopper and its features by name, None where there is no value."""
        fp = self.pb.features
        request = fp.GetFeaturesRequest(
            entities=[fp.Entity(shopper_id=shopper)],
            features=names,
            include=[fp.INCLUDE_CART, fp.INCLUDE_RECENT_ITEMS, fp.INCLUDE_PROFILE],
        )
        row = self.features.GetFeatures(request).rows[0]
        kinds = [value.WhichOneof("value") for value in row.values]
        values = [getattr(value, kind) if kind else None for value, kind in zip(row.values, kinds)]
        return row, dict(zip(names, values))


def what_is_pushed_can_be_read_back(shop, report):
    shopper = f"reader-{shop.run}"
    events = [
        shop.event(shopper, "VIEW", "1", 1800, price_minor=4900, category="shoes.running", brand="north"),
        shop.event(shopper, "ADD_TO_CART", "1", 1700, price_minor=4900, category="shoes.running", brand="north"),
        shop.event(shopper, "ADD_TO_CART", "2", 1600, price_minor=1900, quantity=2),
        shop.event(shopper, "VIEW", "3", 1500),
        shop.event(shopper, "REMOVE_FROM_CART", "2", 1400, quantity=1),
    ]
    report.check("push: five events are accepted", shop.push(events) == ["ACCEPTED"] * 5)
    row, values = shop.read(shopper, ["shopper.view_count_24h", "shopper.cart_value_minor"])
    lines = [(line.item_id, line.quantity, line.price_minor) for line in row.cart.lines]
    report.check("read: the cart has both lines", lines == [("1", 1, 4900), ("2", 1, 1900)], lines)
    report.check("read: two views are counted", values["shopper.view_count_24h"] == 2, values)
    report.check("read: the cart is worth 68.00", values["shopper.cart_value_minor"] == 6800, values)
    recent = [item.item_id for item in row.recent_items]
    report.check("read: the newest interaction comes first", recent[:2] == ["2", "3"], recent)
    cart = shop.features.GetCart(shop.pb.features.GetCartRequest(shopper_id=shopper)).cart
    report.check("read: GetCart says the same", cart.value_minor == 6800 and cart.version == row.cart.version, cart)
    purchase = shop.event(shopper, "PURCHASE", "1", 1300, price_minor=4900, order_id="o-1")
    report.check("push: a purchase is accepted", shop.push([purchase]) == ["ACCEPTED"])
    bought = shop.features.GetCart(shop.pb.features.GetCartRequest(shopper_id=shopper)).cart
    report.check("read: what is bought leaves the cart", [l.item_id for l in bought.lines] == ["2"], bought)
    report.check("read: an order raises the cart's version", bought.version > cart.version, bought)


def the_same_event_counts_once(shop, report):
    shopper = f"twice-{shop.run}"
    event = shop.event(shopper, "VIEW", "1", 600)
    report.check("duplicate: the first is accepted", shop.push([event]) == ["ACCEPTED"])
    report.check("duplicate: the second is not", shop.push([event, event]) == ["DUPLICATE"] * 2)
    changed = shop.event(shopper, "VIEW", "2", 500, event_id=event.event_id)
    report.check("duplicate: the id decides, not the content", shop.push([changed]) == ["DUPLICATE"])
    _, values = shop.read(shopper, ["shopper.view_count_24h"])
    report.check("duplicate: it counts once", values["shopper.view_count_24h"] == 1, values)


def an_unknown_shopper_is_not_an_error(shop, report):
    row, _ = shop.read(f"nobody-{shop.run}", ["shopper.view_count_24h"])
    status = shop.pb.features.FeatureValue.Status.Name(row.values[0].status)
    report.check("unknown shopper: the feature is not found", status == "NOT_FOUND", status)
    decision = shop.recovery.Decide(shop.pb.recovery.DecideRequest(shopper_id=f"nobody-{shop.run}"))
    report.check("unknown shopper: nothing is decided", decision.action == decision.NOTHING, decision)


def decide_request(shop, shopper, **fields):
    return shop.pb.recovery.DecideRequest(shopper_id=shopper, **fields)


def a_cart_gets_a_decision(shop, report):
    shopper = f"decider-{shop.run}"
    shop.shoppers.SetProfile(shop.pb.shoppers.SetProfileRequest(
        shopper_id=shopper, time_zone="Europe/Berlin", channels=["email"], jurisdiction="DE"))
    shop.shoppers.SetConsent(shop.pb.shoppers.SetConsentRequest(shopper_id=shopper, consents=[
        shop.pb.shoppers.Consent(purpose="marketing", channel="email", granted=True, wording="v1")]))
    shop.push([shop.event(shopper, "ADD_TO_CART", "1", 3 * HOUR, price_minor=4900)])
    decision = shop.recovery.Decide(decide_request(shop, shopper))
    shown = [item.item_id for item in decision.items]
    report.check("decide: names its generation", decision.generation != "")
    report.check("decide: an action is named", decision.action != decision.ACTION_UNSPECIFIED, decision)
    report.check("decide: risk is a probability", 0 <= decision.risk <= 1, decision.risk)
    report.check("decide: the propensity is one", 0 < decision.propensity <= 1, decision.propensity)
    report.check("decide: says why", len(decision.reasons) > 0)
    report.check("decide: the cart's items are not shown", "1" not in shown and len(shown) == len(set(shown)), shown)
    report.check("decide: the stored cart is the one decided on", decision.cart_value_minor == 4900, decision)
    stages = {latency.stage for latency in decision.stage_latencies}
    report.check("decide: the stages are timed", {"features", "candidates", "rank", "policy"} <= stages, stages)
    report.check("decide: nothing is degraded", not decision.degraded, list(decision.degraded))
    cart = [shop.pb.features.CartLine(item_id="2", quantity=3, price_minor=1000, currency="EUR")]
    replaced = shop.recovery.Decide(decide_request(shop, shopper, cart=cart))
    report.check("decide: a cart in the request replaces the stored one", replaced.cart_value_minor == 3000, replaced)
    again = shop.recovery.Decide(decide_request(shop, shopper, generation=decision.generation))
    report.check("decide: the generation can be pinned", again.generation == decision.generation)
    refused(shop, report, "decide: a foreign generation is refused", grpc.StatusCode.FAILED_PRECONDITION,
            lambda: shop.recovery.Decide(decide_request(shop, shopper, generation="0" * 64)))
    at = Timestamp(seconds=shop.now + 60)
    timed = [shop.recovery.Decide(decide_request(shop, shopper, now=at, request_id="r")) for _ in range(2)]
    for one in timed:
        del one.stage_latencies[:]
        one.ClearField("trace_id")
    report.check("decide: the same question at the same time has the same answer", timed[0] == timed[1])
    report.check("decide: the time given is the time used", timed[0].decided_at == at, timed[0].decided_at)


def a_batch_decides_as_one_by_one(shop, report):
    recovery = shop.pb.recovery
    shopper, at = f"decider-{shop.run}", Timestamp(seconds=shop.now + 60)
    requests = [decide_request(shop, shopper, now=at, request_id="r"), decide_request(shop, "", now=at),
                decide_request(shop, f"nobody-{shop.run}", now=at)]
    results = shop.recovery.DecideBatch(recovery.DecideBatchRequest(requests=requests)).results
    kinds = [result.WhichOneof("outcome") for result in results]
    report.check("batch: one result each", kinds == ["decision", "failure", "decision"], kinds)
    single, inside = shop.recovery.Decide(requests[0]), results[0].decision
    for one in (single, inside):
        del one.stage_latencies[:]
        one.ClearField("trace_id")
    report.check("batch: the decision is the same as alone", single == inside, f"{single} / {inside}")
    invalid = grpc.StatusCode.INVALID_ARGUMENT.value[0]
    report.check("batch: a bad request fails alone", results[1].failure.code == invalid, results[1])


def has_store(shop):
    return shop.status["recovery"].GetStatus(shop.pb.snapshots.GetStatusRequest()).store != "none"


def a_commit_is_idempotent(shop, report):
    recovery, shopper = shop.pb.recovery, f"decider-{shop.run}"
    request = decide_request(shop, shopper, request_id=f"commit-{shop.run}", mode=recovery.DecideRequest.COMMIT)
    if not has_store(shop):
        refused(shop, report, "commit: refused without a store", grpc.StatusCode.FAILED_PRECONDITION,
                lambda: shop.recovery.Decide(request))
        return
    answers = [shop.recovery.Decide(request) for _ in range(3)]
    report.check("commit: the same request_id has the same decision", all(a == answers[0] for a in answers), answers)
    report.check("commit: the decision has an id", len(answers[0].decision_id) == 32, answers[0].decision_id)
    other = recovery.DecideRequest()
    other.CopyFrom(request)
    other.cart.append(shop.pb.features.CartLine(item_id="2", quantity=1))
    refused(shop, report, "commit: the request_id cannot be used for another request",
            grpc.StatusCode.ALREADY_EXISTS, lambda: shop.recovery.Decide(other))


def candidates_respect_the_query(shop, report):
    pb = shop.pb.candidates
    recent = [pb.RecentInteraction(item_id="1", event_type=2)]
    answer = shop.candidates.Retrieve(pb.RetrieveRequest(recent_items=recent, exclude=["1", "2"], k=5))
    found = [candidate.item_id for candidate in answer.candidates]
    report.check("retrieve: at most k", len(found) <= 5, found)
    report.check("retrieve: never an excluded item", not {"1", "2"} & set(found), found)
    report.check("retrieve: every candidate names its sources", all(c.sources for c in answer.candidates))
    report.check("retrieve: the plan says how", answer.plan.kind != pb.Plan.KIND_UNSPECIFIED, answer.plan)
    live = shop.status["candidates"].GetStatus(shop.pb.snapshots.GetStatusRequest()).live_generation
    report.check("retrieve: the live generation answers", answer.generation == live != "", answer.generation)


def ranking_orders_the_items(shop, report):
    pb = shop.pb.recovery
    items = ["3", "2", f"unknown-{shop.run}"]
    answer = shop.recovery.Rank(pb.RankRequest(shopper_id=f"decider-{shop.run}", item_ids=items))
    ranked = [item.item_id for item in answer.items]
    report.check("rank: every item comes back once", sorted(ranked) == sorted(items), ranked)
    report.check("rank: an unknown item comes last", ranked[-1] == items[-1], ranked)


def violations(error):
    """Fields named by google.rpc.BadRequest in a failed call."""
    status = rpc_status.from_call(error)
    fields = []
    for detail in status.details if status else []:
        bad = error_details_pb2.BadRequest()
        if detail.Is(bad.DESCRIPTOR) and detail.Unpack(bad):
            fields += [violation.field for violation in bad.field_violations]
    return fields


def refused(shop, report, name, code, call):
    try:
        report.check(name, False, f"answered {call()}")
    except grpc.RpcError as error:
        report.check(name, error.code() == code, f"{error.code()} {error.details()}")


def malformed_requests_are_refused_naming_the_field(shop, report):
    for case in malformed.requests(shop):
        name = f"malformed: {case.name}"
        try:
            report.check(name, False, f"answered {str(case.method(case.request))[:200]}")
        except grpc.RpcError as error:
            fields = violations(error)
            holds = error.code() == grpc.StatusCode.INVALID_ARGUMENT and case.field in fields
            report.check(name, holds, f"{error.code()} {error.details()!r}, names {fields}, not {case.field}")


def malformed_events_are_rejected_naming_the_field(shop, report):
    for name, event, field in malformed.events(shop):
        good = shop.event(f"mixed-{shop.run}", "VIEW", "1", 60)
        results = shop.events.PushEvents(shop.pb.events.PushEventsRequest(events=[event, good])).results
        statuses = [shop.pb.events.EventResult.Status.Name(result.status) for result in results]
        holds = statuses == ["REJECTED", "ACCEPTED"] and results[0].field == field and results[0].reason
        report.check(f"rejected: {name}", holds, f"{statuses} {results[0]}")


def malformed_reports_are_rejected_naming_the_field(shop, report):
    pb = shop.pb.outcomes
    if not has_store(shop):
        refused(shop, report, "outcomes: refused without a store", grpc.StatusCode.FAILED_PRECONDITION,
                lambda: shop.recovery.ReportOutcomes(pb.ReportOutcomesRequest(reports=[pb.OutcomeReport()])))
        return
    for name, bad, field in malformed.reports(shop):
        result = shop.recovery.ReportOutcomes(pb.ReportOutcomesRequest(reports=[bad])).results[0]
        holds = result.status == pb.OutcomeResult.REJECTED and result.field == field and result.reason
        report.check(f"rejected: {name}", holds, result)


def a_decision_is_explained_and_made_again(shop, report):
    if not has_store(shop):
        return
    recovery, shopper = shop.pb.recovery, f"decider-{shop.run}"
    decision = shop.recovery.Decide(decide_request(
        shop, shopper, request_id=f"explained-{shop.run}", mode=recovery.DecideRequest.COMMIT))
    told = shop.recovery.GetDecision(recovery.GetDecisionRequest(
        shopper_id=shopper, decision_id=decision.decision_id))
    report.check("explained: the decision is the one that was answered", told.decision == decision, told)
    report.check("explained: it is made again bit for bit", told.reproduced and not told.not_reproduced, told)
    chosen = [arm for arm in told.arms if arm.chosen]
    others = [arm for arm in told.arms if not arm.chosen]
    report.check("explained: one arm is chosen", len(chosen) == 1 and chosen[0].action == decision.action, told)
    report.check("explained: every other says why not", all(a.why_not or a.not_eligible for a in others), told)
    report.check("explained: in words", len(told.explanation) > 3, told)
    refused(shop, report, "explained: an unknown decision is not found", grpc.StatusCode.NOT_FOUND,
            lambda: shop.recovery.GetDecision(recovery.GetDecisionRequest(shopper_id=shopper, decision_id="0" * 32)))


def an_outcome_counts_once(shop, report):
    if not has_store(shop):
        return
    pb, recovery = shop.pb.outcomes, shop.pb.recovery
    shopper = f"decider-{shop.run}"
    decision = shop.recovery.Decide(decide_request(
        shop, shopper, request_id=f"outcome-{shop.run}", mode=recovery.DecideRequest.COMMIT))
    order = pb.OutcomeReport(shopper_id=shopper, decision_id=decision.decision_id, kind="RECOVERED",
                             order_id="o-1", value_minor=4900, currency="EUR")
    told = [shop.recovery.ReportOutcomes(pb.ReportOutcomesRequest(reports=[order])).results[0] for _ in range(2)]
    statuses = [pb.OutcomeResult.Status.Name(result.status) for result in told]
    report.check("outcomes: the same order counts once", statuses == ["ACCEPTED", "DUPLICATE"], told)


def a_person_is_exported_and_erased(shop, report):
    pb, recovery = shop.pb.shoppers, shop.pb.recovery
    account, device = f"private-{shop.run}", f"private-device-{shop.run}"
    old = shop.event(device, "ADD_TO_CART", "3", 600, price_minor=500)
    shop.push([old, shop.event(account, "VIEW", "5", 300)])
    shop.shoppers.LinkIdentity(pb.LinkIdentityRequest(shopper_id=account, alias_id=device, link_id=shop.run))
    decision = None
    if has_store(shop):
        decision = shop.recovery.Decide(decide_request(
            shop, account, request_id=f"private-{shop.run}", mode=recovery.DecideRequest.COMMIT))
    records = list(shop.shoppers.ExportShopper(pb.ExportShopperRequest(shopper_id=device)))
    kinds = {}
    for record in records:
        kinds.setdefault(record.WhichOneof("record"), []).append(record)
    report.check("export: says who it is first", records[0].person.person_id == account, records[:1])
    report.check("export: every event of both ids",
                 {record.event.shopper_id for record in kinds["event"]} == {account, device}, kinds["event"])
    report.check("export: cart, profile and features", {"cart", "profile", "feature"} <= set(kinds), set(kinds))
    if decision:
        report.check("export: the decision", [r.decision for r in kinds["decision"]] == [decision], kinds["decision"])
    erased = shop.shoppers.EraseShopper(pb.EraseShopperRequest(shopper_id=device))
    report.check("erase: both ids and their keys", erased.changed and erased.erased.ids == erased.erased.keys == 2, erased)
    again = shop.shoppers.EraseShopper(pb.EraseShopperRequest(shopper_id=account))
    report.check("erase: again changes nothing", not again.changed and again.erased == erased.erased, again)
    for shopper in (account, device):
        refused(shop, report, f"erased: no portrait of {shopper}", grpc.StatusCode.NOT_FOUND,
                lambda: shop.shoppers.GetProfile(pb.GetProfileRequest(shopper_id=shopper)))
        refused(shop, report, f"erased: no export of {shopper}", grpc.StatusCode.NOT_FOUND,
                lambda: list(shop.shoppers.ExportShopper(pb.ExportShopperRequest(shopper_id=shopper))))
    if decision:
        refused(shop, report, "erased: the decision is not shown", grpc.StatusCode.NOT_FOUND,
                lambda: shop.recovery.GetDecision(recovery.GetDecisionRequest(
                    shopper_id=account, decision_id=decision.decision_id)))
    report.check("erased: what occurred before is refused", shop.push([old]) == ["REJECTED"])
    later = shop.status["features"].GetStatus(shop.pb.snapshots.GetStatusRequest()).now.seconds + 2
    report.check("erased: what occurs later is somebody new",
                 shop.push([shop.event(account, "VIEW", "5", shop.now - later)]) == ["ACCEPTED"])


def garbage_does_no_harm(shop, report):
    for role, method in [("features", "EventService/PushEvents"), ("candidates", "CandidateService/Retrieve"),
                         ("recovery", "RecoveryService/Decide")]:
        call = shop.channels[role].unary_unary(f"/cartwright.v1.{method}")
        try:
            report.check(f"garbage: {role} refuses it", False, call(b"\x0a\xff\xff\xff\xff\x0fgarbage"))
        except grpc.RpcError as error:
            report.check(f"garbage: {role} refuses it", error.code() != grpc.StatusCode.UNAVAILABLE, error)


def the_servers_live(shop, report):
    for role, status in shop.status.items():
        answer = status.GetStatus(shop.pb.snapshots.GetStatusRequest(), timeout=5)
        report.check(f"alive: {role}", answer.role == role, answer)
    decision = shop.recovery.Decide(decide_request(shop, f"decider-{shop.run}"), timeout=5)
    report.check("alive: decisions are made as before", not decision.degraded, list(decision.degraded))


def a_thousand_events_from_eight_connections(shop, report):
    """Nothing is lost when eight writers meet on one shopper."""
    shopper, statuses, lock = f"busy-{shop.run}", [], threading.Lock()
    # Spread over 20 hours, so that the rate is a shopper's and not a bot's; taken from one counter,
    # so that the writers stay close to each other in time, as devices of one person do.
    counter = itertools.count()

    def take():
        with lock:
            return next(counter)

    def write(index):
        options = [("grpc.use_local_subchannel_pool", 1), ("cartwright.writer", index)]
        with grpc.insecure_channel(shop.addresses["features"], options=options) as channel:
            stub = shop.pb.events_grpc.EventServiceStub(channel)
            while (number := take()) < 1000:
                event = shop.event(shopper, "VIEW", f"i{number % 50}", 20 * HOUR - number * 72)
                result = stub.PushEvents(shop.pb.events.PushEventsRequest(events=[event])).results[0]
                with lock:
                    statuses.append((shop.pb.events.EventResult.Status.Name(result.status), result.reason))

    writers = [threading.Thread(target=write, args=(index,)) for index in range(8)]
    started = time.monotonic()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    took = time.monotonic() - started
    accepted = sum(status == "ACCEPTED" for status, _ in statuses)
    rest = sorted({pair for pair in statuses if pair[0] != "ACCEPTED"})[:3]
    report.check(f"busy shopper: 1,000 of 1,000 accepted ({took:.1f} s)", accepted == 1000, f"{accepted}, {rest}")
    _, values = shop.read(shopper, ["shopper.view_count_7d"])
    report.check("busy shopper: 1,000 are counted", values["shopper.view_count_7d"] == 1000, values)


CHECKS = [
    what_is_pushed_can_be_read_back,
    the_same_event_counts_once,
    an_unknown_shopper_is_not_an_error,
    a_cart_gets_a_decision,
    a_batch_decides_as_one_by_one,
    a_commit_is_idempotent,
    a_decision_is_explained_and_made_again,
    an_outcome_counts_once,
    a_person_is_exported_and_erased,
    candidates_respect_the_query,
    ranking_orders_the_items,
    malformed_requests_are_refused_naming_the_field,
    malformed_events_are_rejected_naming_the_field,
    malformed_reports_are_rejected_naming_the_field,
    garbage_does_no_harm,
    the_servers_live,
    a_thousand_events_from_eight_connections,
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for role, port in (("features", 7101), ("candidates", 7102), ("recovery", 7103)):
        parser.add_argument(f"--{role}", default=f"127.0.0.1:{port}", metavar="ADDRESS")
    arguments = vars(parser.parse_args())
    report = Report()
    shop = Shop(stubs.compile_contract(), arguments)
    for check in CHECKS:
        try:
            check(shop, report)
        except Exception as error:  # One broken check must not hide the others.
            traceback.print_exc()
            report.check(check.__name__, False, f"{type(error).__name__}: {error}")
    print(f"{report.passed} passed, {report.failed} failed")
    sys.exit(report.failed > 0)


if __name__ == "__main__":
    main()
