"""What the document cannot say: an Idempotency-Key stands for one body, so each valid request gets one of its own."""

import uuid

import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    valid = case.meta is not None and case.meta.generation.mode.is_positive
    if valid and case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
