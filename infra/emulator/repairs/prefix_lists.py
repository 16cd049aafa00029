"""A security group's rule keeps the prefix list that it names.

ministack neither reads the list when it makes the rule nor returns it afterwards, and Terraform's provider fails on
that. No upstream report is known as of 1.5.33.
"""

from itertools import count, takewhile
from typing import Any

from infra.emulator.repairs.private import service

OTHER_SOURCES = ("IpRanges", "Ipv6Ranges", "UserIdGroupPairs")


def repair(emulator: Any) -> None:
    """Reads `PrefixListIds` of every permission, and returns it for rules that have no other source."""
    ec2 = service(emulator, "ec2", "_parse_ip_permissions", "_sg_rule_xml", "_p")
    published, value, written = ec2._parse_ip_permissions, ec2._p, ec2._sg_rule_xml  # noqa: SLF001

    def parse(parameters: Any, prefix: str) -> list[dict[str, Any]]:
        rules: list[dict[str, Any]] = published(parameters, prefix)
        for number, rule in enumerate(rules, 1):
            places = (f"{prefix}.{number}.PrefixListIds.{each}" for each in count(1))
            for place in takewhile(lambda place: value(parameters, f"{place}.PrefixListId"), places):
                described = value(parameters, f"{place}.Description")
                named = {"PrefixListId": value(parameters, f"{place}.PrefixListId")}
                rule["PrefixListIds"].append(named | ({"Description": described} if described else {}))
        return rules

    def write(group: str, rule: dict[str, Any], **more: Any) -> str:
        items: str = written(group, rule, **more)
        if any(rule.get(source) for source in OTHER_SOURCES):
            return items
        named = "".join(f"<prefixListId>{each['PrefixListId']}</prefixListId>" for each in rule["PrefixListIds"])
        return items.replace("</toPort>", f"</toPort>{named}")

    ec2._parse_ip_permissions, ec2._sg_rule_xml = parse, write  # noqa: SLF001
