"""A first call: push what a shopper did, read it back, ask for a decision.
Run: pip install -r requirements.txt && python3 first_call.py [features address] [recovery address]"""
import os, pathlib, sys, tempfile, time, uuid
import grpc, grpc_tools
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_tools import protoc
PROTO, STUBS = pathlib.Path(__file__).resolve().parents[2] / "proto", tempfile.mkdtemp()
FILES = [str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto")]
WELL_KNOWN = os.path.join(os.path.dirname(grpc_tools.__file__), "_proto")
protoc.main(["", f"-I{PROTO}", f"-I{WELL_KNOWN}", f"--python_out={STUBS}", f"--grpc_python_out={STUBS}", *FILES])
sys.path.insert(0, STUBS)
from cartwright.v1 import (events_pb2 as ev, events_pb2_grpc, features_pb2 as ft, features_pb2_grpc,
                           recovery_pb2 as rc, recovery_pb2_grpc, shoppers_pb2 as sh, shoppers_pb2_grpc)
features = grpc.insecure_channel((sys.argv[1:2] or [os.environ.get("FEATURES", "127.0.0.1:7101")])[0])
recovery = grpc.insecure_channel((sys.argv[2:3] or [os.environ.get("RECOVERY", "127.0.0.1:7103")])[0])
shopper, now = f"first-call-{uuid.uuid4().hex[:8]}", time.time()
events = [ev.Event(event_id=uuid.uuid4().hex, shopper_id=shopper, type=kind, item_id=item, price_minor=price,
                   currency="EUR", occurred_at=Timestamp(seconds=int(now - age)))
          for kind, item, price, age in [("VIEW", "1", 4900, 2400), ("ADD_TO_CART", "1", 4900, 2300), ("VIEW", "2", 1900, 2000)]]
pushed = events_pb2_grpc.EventServiceStub(features).PushEvents(ev.PushEventsRequest(events=events))
print("events:  ", [ev.EventResult.Status.Name(result.status) for result in pushed.results])
shoppers_pb2_grpc.ShopperServiceStub(features).SetConsent(sh.SetConsentRequest(shopper_id=shopper, consents=[
    sh.Consent(purpose="marketing", channel="email", granted=True, wording="v1")]))  # Without consent: nothing.
names = ["shopper.view_count_24h", "shopper.cart_value_minor"]
row = features_pb2_grpc.FeatureServiceStub(features).GetFeatures(ft.GetFeaturesRequest(
    entities=[ft.Entity(shopper_id=shopper)], features=names)).rows[0]
print("features:", {name: getattr(value, value.WhichOneof("value") or "status") for name, value in zip(names, row.values)})
decision = recovery_pb2_grpc.RecoveryServiceStub(recovery).Decide(rc.DecideRequest(shopper_id=shopper))
print(f"decision: {rc.Decision.Action.Name(decision.action)}, risk {decision.risk:.2f}, show",
      [item.item_id for item in decision.items], *(f"\n  {reason}" for reason in decision.reasons))
