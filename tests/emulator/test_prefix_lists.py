"""Rules of security groups can name a prefix list instead of addresses."""

from tests.support.emulation import Cloud, unique


def test_a_rule_keeps_its_prefix_list(cloud: Cloud) -> None:
    network = cloud.ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    group = cloud.ec2.create_security_group(GroupName=unique("group"), Description="a group", VpcId=network)["GroupId"]
    listed = cloud.ec2.describe_managed_prefix_lists()["PrefixLists"][0]["PrefixListId"]
    named = {"PrefixListId": listed, "Description": "from the edge"}
    permission = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "PrefixListIds": [named]}

    rules = cloud.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])["SecurityGroupRules"]
    ids = [rule["SecurityGroupRuleId"] for rule in rules]
    (found,) = cloud.ec2.describe_security_group_rules(SecurityGroupRuleIds=ids)["SecurityGroupRules"]

    assert (found.get("PrefixListId"), found.get("Description")) == (listed, "from the edge")
