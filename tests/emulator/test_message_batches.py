"""Who may send one message may send a batch, as on AWS."""

import json
from pathlib import Path

from infra.emulator.emulator import Emulator
from tests.support.emulation import Cloud, unique


def test_the_permission_to_send_a_message_allows_a_batch(repaired: bool, python: Path, tmp_path: Path) -> None:
    with Emulator(tmp_path, auth=True, python=python, repaired=repaired) as emulator:
        cloud, name = Cloud(emulator), unique("sender")
        url = cloud.sqs.create_queue(QueueName=name)["QueueUrl"]
        cloud.iam.create_user(UserName=name)
        allowed = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        cloud.iam.put_user_policy(UserName=name, PolicyName="sends", PolicyDocument=policy)
        key = cloud.iam.create_access_key(UserName=name)["AccessKey"]
        client = cloud.with_key(key["AccessKeyId"], key["SecretAccessKey"]).sqs

        answer = client.send_message_batch(QueueUrl=url, Entries=[{"Id": "1", "MessageBody": "x"}])

        assert [one["Id"] for one in answer["Successful"]] == ["1"]
