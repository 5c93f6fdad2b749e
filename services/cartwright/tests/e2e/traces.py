"""Holds the traces of running roles against what an OTLP receiver made by others was sent.

    python3 traces.py RECEIVER-LOG FEATURES-ADDRESS RECOVERY-ADDRESS     one decision, one connected trace
    python3 traces.py --dead FEATURES-ADDRESS RECOVERY-ADDRESS           the receiver is gone

The receiver is Rotel, which writes each span that it is sent to its log.
"""

import re
import statistics
import sys
import time
import uuid

import grpc

import stubs

ROLES = {"cartwright-features", "cartwright-candidates", "cartwright-recovery"}
FIELD = re.compile(r"^\s*(Trace ID|Parent ID|ID|Name|Kind)\s*:\s?(.*)$")
ATTRIBUTE = re.compile(r"^\s*-> ([^:]+): \w+\((.*)\)$")


def spans(log):
    """Every span in the log, as a dict of its fields and attributes."""
    found, service, resource = [], "", False
    with open(log, errors="replace") as lines:
        for line in lines:
            line = re.sub(r"\x1b\[[0-9;]*m", "", line.rstrip("\n"))
            if line.startswith("Resource attributes"):
                resource = True
            elif line.startswith("ScopeSpans #"):
                resource = False
            elif line.startswith("Span #"):
                resource = False
                found.append({"service": service, "attributes": {}})
            elif resource and (match := ATTRIBUTE.match(line)):
                service = match[2] if match[1] == "service.name" else service
            elif found and (match := FIELD.match(line)):
                found[-1][match[1]] = match[2].strip()
            elif found and not resource and (match := ATTRIBUTE.match(line)):
                found[-1]["attributes"][match[1]] = match[2]
    return found


class Shop:
    def __init__(self, features, recovery):
        self.pb = stubs.compile_contract()
        self.events = self.pb.events_grpc.EventServiceStub(grpc.insecure_channel(features))
        self.recovery = self.pb.recovery_grpc.RecoveryServiceStub(grpc.insecure_channel(recovery))

    def fill_a_cart(self):
        shopper = f"traced-{uuid.uuid4().hex[:8]}"
        now = int(time.time())
        events = []
        for age, item in [(60, "1"), (30, "2")]:
            event = self.pb.events.Event(
                event_id=uuid.uuid4().hex, shopper_id=shopper, type="ADD_TO_CART", item_id=item, quantity=1,
                price_minor=1_000, currency="EUR")
            event.occurred_at.seconds = now - age
            events.append(event)
        self.events.PushEvents(self.pb.events.PushEventsRequest(events=events))
        return shopper

    def decide(self, shopper, metadata=()):
        request = self.pb.recovery.DecideRequest(
            request_id=uuid.uuid4().hex, shopper_id=shopper, mode=self.pb.recovery.DecideRequest.COMMIT)
        return self.recovery.Decide(request, metadata=metadata, timeout=5)


def wait_for(log, trace, ready):
    """The spans of a trace, once they are all there or ten seconds have passed."""
    until = time.time() + 10
    while True:
        mine = [span for span in spans(log) if span.get("Trace ID") == trace]
        if ready(mine) or time.time() > until:
            return mine
        time.sleep(0.2)


def one_connected_trace(log, shop):
    shopper = shop.fill_a_cart()
    trace, caller = uuid.uuid4().hex, uuid.uuid4().hex[:16]
    metadata = [("traceparent", f"00-{trace}-{caller}-01"), ("tracestate", "shop=1")]
    decision = shop.decide(shopper, metadata)
    names = lambda found: {span["Name"] for span in found}
    complete = lambda found: {span["service"] for span in found} == ROLES and {"redis", "ann", "commit"} <= names(found)
    found = wait_for(log, trace, complete)
    listing = "\n".join(f"  {s['service']:22} {s['ID']} <- {s['Parent ID']} {s['Name']}" for s in found)

    def check(what, holds):
        print(f"{'ok    ' if holds else 'FAILED'} {what}")
        if not holds:
            raise SystemExit(f"the trace {trace} has {len(found)} spans:\n{listing}")

    check("the decision names its trace", decision.trace_id == trace)
    check("the decision was not degraded", not decision.degraded)
    check("all three services are in it", {span["service"] for span in found} == ROLES)
    check("Redis and the index are in it", {"redis", "ann"} <= names(found))
    ids = {span["ID"] for span in found}
    check("no span is there twice", len(ids) == len(found))
    roots = [span for span in found if span["Parent ID"] == caller]
    check("it hangs on the caller's span by one", [r["Name"] for r in roots] == ["cartwright.v1.RecoveryService/Decide"])
    check("every other span hangs on one of them", all(s["Parent ID"] in ids for s in found if s not in roots))
    attributes = roots[0]["attributes"]
    wanted = ["rpc.system.name", "rpc.method", "rpc.response.status_code", "server.address", "server.port",
              "cartwright.generation", "cartwright.candidates", "cartwright.degraded", "cartwright.budget_left_ms"]
    check("the request says what it was", all(key in attributes for key in wanted))
    index = next(span["attributes"] for span in found if span["Name"] == "ann")
    check("the index says how it was searched", {"cartwright.plan", "cartwright.lists_probed"} <= set(index))
    said = "\n".join(str(span) for span in found)
    check("no shopper is named", shopper not in said and "cartwright.shopper" in said)
    print(f"one trace of {len(found)} spans")
    return listing


def times(shop, count):
    shopper = shop.fill_a_cart()
    took = []
    for _ in range(count):
        started = time.perf_counter()
        shop.decide(shopper)
        took.append((time.perf_counter() - started) * 1_000)
    took.sort()
    return f"median {statistics.median(took):.2f} ms, p99 {took[count * 99 // 100]:.2f} ms of {count}"


def main():
    log, features, recovery = sys.argv[1:]
    shop = Shop(features, recovery)
    if log == "--dead":
        print(f"ok     every call is answered without a receiver: {times(shop, 300)}")
        return
    one_connected_trace(log, shop)
    print(f"with the receiver: {times(shop, 300)}")


if __name__ == "__main__":
    main()
