"""The permission for one message allows a batch of them: IAM has no action `sqs:SendMessageBatch`.

ministack asks policies for an action of the operation's own name. No upstream report is known as of 1.5.33.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
"""

import importlib
from typing import Any

from infra.emulator.repairs.private import demand

SQS, BATCH = "sqs:", "Batch"


def repair(_emulator: Any) -> None:
    """Names the action of a batch as that of a single message."""
    actions: Any = importlib.import_module("ministack.core.iam_actions")
    demand(actions, "extract_iam_action")
    published = actions.extract_iam_action

    def action_of(*request: Any, **more: Any) -> Any:
        action = published(*request, **more)
        is_batch = isinstance(action, str) and action.startswith(SQS) and action.endswith(BATCH)
        return action.removesuffix(BATCH) if is_batch else action

    actions.extract_iam_action = action_of
