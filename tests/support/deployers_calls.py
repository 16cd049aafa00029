"""What IAM is asked for when the AWS provider makes, reads, changes, tags and deletes each type of resource.

These are the actions of version 5.100 of the provider for the attributes that infra/terraform sets, by the resource
that AWS documents for them: https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from collections.abc import Mapping

REGION, ACCOUNT, ZONE = "eu-central-1", "123456789012", "Z0123456789ABCDEFGHIJ"
# What AWS makes up.
ID = "0123456789abcdef"
TAGS = " TagResource UntagResource ListTagsForResource"


def arn(service: str, resource: str, region: str = REGION, account: str = ACCOUNT) -> str:
    """Returns an ARN of the commercial partition."""
    return f"arn:aws:{service}:{region}:{account}:{resource}"


BUCKET = f"arn:aws:s3:::registry-{ACCOUNT}-{REGION}"
LOG_BUCKET = f"arn:aws:s3:::registry-logs-{ACCOUNT}-{REGION}"
ROLE = arn("iam", "role/registry-api", "")
FUNCTION = arn("lambda", "function:registry-api")
QUEUE, TOPIC = arn("sqs", "registry-mirrors"), arn("sns", "registry-events")
GROUPS = [arn("logs", f"log-group:/aws/{name}") for name in ("lambda/registry-api", "vendedlogs/apigateway/registry")]
RELAY_GROUP = arn("logs", "log-group:/aws/ecs/registry-relay")
GROUP_ACTIONS = "logs: CreateLogGroup DeleteLogGroup PutRetentionPolicy DeleteRetentionPolicy AssociateKmsKey"
GROUP_ACTIONS += " DisassociateKmsKey" + TAGS
EVERY_GROUP = arn("logs", "log-group::log-stream:")
GATEWAY = f"arn:aws:apigateway:{REGION}::"
VERBS = "apigateway: GET POST PATCH DELETE"
RULE, ALARM = arn("events", "rule/registry-timers"), arn("cloudwatch", "alarm:registry-timers-late")
EDGE = {
    kind: arn("cloudfront", f"{kind}/{ID}", "")
    for kind in (
        *("distribution", "key-value-store", "origin-access-control", "response-headers-policy", "vpcorigin"),
        "function",
    )
}
EDGE_FUNCTION = arn("cloudfront", "function/registry-viewer-request", "")
CERTIFICATES = [arn("acm", f"certificate/{ID}", region) for region in (REGION, "us-east-1")]
CERTIFICATE = "acm: DescribeCertificate DeleteCertificate AddTagsToCertificate RemoveTagsFromCertificate"
CERTIFICATE += " ListTagsForCertificate"
DELIVERY = {
    kind: arn("logs", name, "us-east-1")
    for kind, name in {
        "source": "delivery-source:registry",
        "destination": "delivery-destination:registry",
        "delivery": f"delivery:{ID}",
    }.items()
}
SECURITY_GROUP, RULE_OF_GROUP = arn("ec2", f"security-group/sg-{ID}"), arn("ec2", f"security-group-rule/sgr-{ID}")
BALANCER = arn("elasticloadbalancing", f"loadbalancer/app/registry-relay/{ID}")
TARGETS = arn("elasticloadbalancing", f"targetgroup/registry-relay/{ID}")
LISTENER = arn("elasticloadbalancing", f"listener/app/registry-relay/{ID}/{ID}")
CLUSTER, SERVICE = arn("ecs", "cluster/registry-relay"), arn("ecs", "service/registry-relay/registry-relay")
TASK = arn("ecs", "task-definition/registry-relay:1")
LINKED = arn("iam", "role/aws-service-role/any", "")
ACL, ADDRESSES = (
    arn("wafv2", f"global/{name}/{ID}", "us-east-1")
    for name in (
        "webacl/registry",
        "ipset/registry-allowed-ipv4",
    )
)
MANAGED = arn("wafv2", "global/managedruleset/x/y", "us-east-1")
KEY = arn("kms", f"key/{ID}")
RULES = "ec2: AuthorizeSecurityGroup{0} RevokeSecurityGroup{0} ModifySecurityGroupRules"

# Type -> resource -> actions.
CALLS: Mapping[str, Mapping[str, str]] = {
    "aws_acm_certificate": {**dict.fromkeys(CERTIFICATES, CERTIFICATE), "*": "acm: RequestCertificate"},
    "aws_acm_certificate_validation": dict.fromkeys(CERTIFICATES, "acm: DescribeCertificate"),
    "aws_apigatewayv2_api": {
        f"{GATEWAY}/apis": VERBS,
        f"{GATEWAY}/apis/{ID}": VERBS,
        f"{GATEWAY}/tags/arn%3Aaws%3Aapigateway": "apigateway: GET POST PUT DELETE",
    },
    "aws_apigatewayv2_api_mapping": {f"{GATEWAY}/domainnames/registry.example.com/apimappings/{ID}": VERBS},
    "aws_apigatewayv2_domain_name": {
        f"{GATEWAY}/domainnames": VERBS,
        f"{GATEWAY}/domainnames/registry.example.com": "apigateway: GET PATCH PUT DELETE",
        LINKED: "iam: CreateServiceLinkedRole",
    },
    "aws_apigatewayv2_integration": {f"{GATEWAY}/apis/{ID}/integrations/{ID}": VERBS},
    "aws_apigatewayv2_route": {f"{GATEWAY}/apis/{ID}/routes/{ID}": VERBS},
    "aws_apigatewayv2_stage": {
        f"{GATEWAY}/apis/{ID}/stages/$default": VERBS,
        "*": "logs: CreateLogDelivery GetLogDelivery UpdateLogDelivery DeleteLogDelivery ListLogDeliveries"
        " PutResourcePolicy DescribeResourcePolicies",
        LINKED: "iam: CreateServiceLinkedRole",
    },
    "aws_budgets_budget": {arn("budgets", "budget/registry", ""): "budgets: ModifyBudget ViewBudget" + TAGS},
    "aws_cloudfront_distribution": {
        EDGE["distribution"]: "cloudfront: CreateDistribution GetDistribution UpdateDistribution DeleteDistribution"
        + TAGS,
        ACL: "wafv2: GetWebACL",
    },
    "aws_cloudfront_function": {
        EDGE_FUNCTION: "cloudfront: CreateFunction DescribeFunction GetFunction UpdateFunction PublishFunction"
        " DeleteFunction",
    },
    "aws_cloudfront_key_value_store": {
        EDGE["key-value-store"]: "cloudfront: CreateKeyValueStore DescribeKeyValueStore UpdateKeyValueStore"
        " DeleteKeyValueStore",
    },
    "aws_cloudfront_origin_access_control": {
        EDGE["origin-access-control"]: "cloudfront: CreateOriginAccessControl GetOriginAccessControl"
        " UpdateOriginAccessControl DeleteOriginAccessControl",
    },
    "aws_cloudfront_response_headers_policy": {
        EDGE["response-headers-policy"]: "cloudfront: CreateResponseHeadersPolicy GetResponseHeadersPolicy"
        " UpdateResponseHeadersPolicy DeleteResponseHeadersPolicy",
    },
    "aws_cloudfront_vpc_origin": {
        EDGE["vpcorigin"]: "cloudfront: CreateVpcOrigin GetVpcOrigin UpdateVpcOrigin DeleteVpcOrigin" + TAGS,
        "*": "elasticloadbalancing: DescribeLoadBalancers DescribeListeners ec2: DescribeInternetGateways"
        " DescribeSecurityGroups DescribeSubnets DescribeVpcs",
        LINKED: "iam: CreateServiceLinkedRole",
    },
    "aws_cloudfrontkeyvaluestore_key": {
        EDGE["key-value-store"]: "cloudfront-keyvaluestore: DescribeKeyValueStore GetKey PutKey DeleteKey",
    },
    "aws_cloudwatch_dashboard": {
        arn("cloudwatch", "dashboard/registry", ""): "cloudwatch: PutDashboard GetDashboard DeleteDashboards",
    },
    "aws_cloudwatch_event_rule": {RULE: "events: PutRule DescribeRule DeleteRule" + TAGS},
    "aws_cloudwatch_event_target": {RULE: "events: PutTargets RemoveTargets ListTargetsByRule"},
    "aws_cloudwatch_log_delivery": {
        DELIVERY["delivery"]: "logs: CreateDelivery GetDelivery UpdateDeliveryConfiguration DeleteDelivery" + TAGS,
        DELIVERY["source"]: "logs: CreateDelivery",
        DELIVERY["destination"]: "logs: CreateDelivery",
        LINKED: "iam: CreateServiceLinkedRole",
    },
    "aws_cloudwatch_log_delivery_destination": {
        DELIVERY["destination"]: "logs: PutDeliveryDestination GetDeliveryDestination DeleteDeliveryDestination" + TAGS,
    },
    "aws_cloudwatch_log_delivery_source": {
        DELIVERY["source"]: "logs: PutDeliverySource GetDeliverySource DeleteDeliverySource" + TAGS,
        EDGE["distribution"]: "cloudfront: AllowVendedLogDeliveryForResource",
    },
    "aws_cloudwatch_log_group": {
        **dict.fromkeys([*GROUPS, RELAY_GROUP], GROUP_ACTIONS),
        EVERY_GROUP: "logs: DescribeLogGroups",
    },
    "aws_cloudwatch_log_metric_filter": {GROUPS[0]: "logs: PutMetricFilter DeleteMetricFilter DescribeMetricFilters"},
    "aws_cloudwatch_metric_alarm": {
        ALARM: "cloudwatch: PutMetricAlarm DeleteAlarms" + TAGS,
        arn("cloudwatch", "alarm:*"): "cloudwatch: DescribeAlarms",
    },
    "aws_cloudwatch_query_definition": {
        "*": "logs: PutQueryDefinition DeleteQueryDefinition DescribeQueryDefinitions",
    },
    "aws_dynamodb_table": {
        arn("dynamodb", "table/registry"): "dynamodb: CreateTable DescribeTable UpdateTable DeleteTable"
        " DescribeContinuousBackups UpdateContinuousBackups DescribeTimeToLive UpdateTimeToLive"
        " TagResource UntagResource ListTagsOfResource",
        KEY: "kms: CreateGrant DescribeKey Decrypt Encrypt GenerateDataKey",
    },
    "aws_ec2_managed_prefix_list": {
        "*": "ec2: DescribeManagedPrefixLists",
        arn("ec2", "prefix-list/pl-1", account="aws"): "ec2: GetManagedPrefixListEntries",
    },
    "aws_ecs_cluster": {
        CLUSTER: "ecs: CreateCluster DescribeClusters DeleteCluster" + TAGS,
        LINKED: "iam: CreateServiceLinkedRole",
    },
    "aws_ecs_service": {SERVICE: "ecs: CreateService DescribeServices UpdateService DeleteService" + TAGS},
    "aws_ecs_task_definition": {
        TASK: "ecs: RegisterTaskDefinition" + TAGS,
        "*": "ecs: DescribeTaskDefinition DeregisterTaskDefinition",
        arn("iam", "role/registry-relay", ""): "iam: PassRole",
    },
    "aws_iam_role": {
        ROLE: "iam: CreateRole GetRole UpdateRole UpdateRoleDescription UpdateAssumeRolePolicy DeleteRole TagRole"
        " UntagRole ListRolePolicies ListAttachedRolePolicies ListInstanceProfilesForRole PutRolePermissionsBoundary"
        " DeleteRolePermissionsBoundary",
    },
    "aws_iam_role_policy": {ROLE: "iam: PutRolePolicy GetRolePolicy DeleteRolePolicy"},
    "aws_lambda_event_source_mapping": {
        "*": "lambda: CreateEventSourceMapping GetEventSourceMapping",
        arn("lambda", f"event-source-mapping:{ID}"): "lambda: UpdateEventSourceMapping DeleteEventSourceMapping"
        " TagResource UntagResource ListTags",
    },
    "aws_lambda_function": {
        FUNCTION: "lambda: CreateFunction GetFunction GetFunctionConfiguration GetFunctionCodeSigningConfig"
        " ListVersionsByFunction UpdateFunctionCode UpdateFunctionConfiguration PutFunctionConcurrency"
        " DeleteFunctionConcurrency DeleteFunction TagResource UntagResource ListTags",
        ROLE: "iam: PassRole",
    },
    "aws_lambda_function_event_invoke_config": {
        FUNCTION: "lambda: PutFunctionEventInvokeConfig GetFunctionEventInvokeConfig DeleteFunctionEventInvokeConfig",
    },
    "aws_lambda_permission": {FUNCTION: "lambda: AddPermission RemovePermission GetPolicy"},
    "aws_lb": {
        BALANCER: "elasticloadbalancing: CreateLoadBalancer ModifyLoadBalancerAttributes SetSecurityGroups SetSubnets"
        " DeleteLoadBalancer AddTags RemoveTags",
        "*": "elasticloadbalancing: DescribeLoadBalancers DescribeLoadBalancerAttributes DescribeTags"
        " DescribeCapacityReservation ec2: DescribeNetworkInterfaces DescribeSecurityGroups DescribeSubnets",
        LINKED: "iam: CreateServiceLinkedRole",
    },
    "aws_lb_listener": {
        BALANCER: "elasticloadbalancing: CreateListener",
        LISTENER: "elasticloadbalancing: ModifyListener DeleteListener AddTags RemoveTags",
        "*": "elasticloadbalancing: DescribeListeners DescribeListenerAttributes DescribeTags",
    },
    "aws_lb_target_group": {
        TARGETS: "elasticloadbalancing: CreateTargetGroup ModifyTargetGroup ModifyTargetGroupAttributes"
        " DeleteTargetGroup AddTags RemoveTags",
        "*": "elasticloadbalancing: DescribeTargetGroups DescribeTargetGroupAttributes DescribeTags",
    },
    "aws_route53_record": {
        f"arn:aws:route53:::hostedzone/{ZONE}": "route53: ChangeResourceRecordSets ListResourceRecordSets"
        " GetHostedZone",
        "arn:aws:route53:::change/C1": "route53: GetChange",
    },
    "aws_s3_bucket": {
        **dict.fromkeys(
            [BUCKET, LOG_BUCKET],
            "s3: CreateBucket DeleteBucket ListBucket ListBucketVersions GetAccelerateConfiguration GetBucketAcl"
            " GetBucketCORS GetBucketLocation GetBucketObjectLockConfiguration GetBucketRequestPayment"
            " GetBucketTagging GetBucketVersioning GetBucketWebsite GetReplicationConfiguration PutBucketTagging",
        ),
        **dict.fromkeys([f"{BUCKET}/in/a", f"{LOG_BUCKET}/s3/a"], "s3: DeleteObject DeleteObjectVersion"),
    },
    "aws_s3_bucket_lifecycle_configuration": {BUCKET: "s3: PutLifecycleConfiguration GetLifecycleConfiguration"},
    "aws_s3_bucket_logging": {BUCKET: "s3: PutBucketLogging GetBucketLogging"},
    "aws_s3_bucket_ownership_controls": {BUCKET: "s3: PutBucketOwnershipControls GetBucketOwnershipControls"},
    "aws_s3_bucket_policy": {BUCKET: "s3: PutBucketPolicy GetBucketPolicy DeleteBucketPolicy"},
    "aws_s3_bucket_public_access_block": {BUCKET: "s3: PutBucketPublicAccessBlock GetBucketPublicAccessBlock"},
    "aws_s3_bucket_server_side_encryption_configuration": {
        BUCKET: "s3: PutEncryptionConfiguration GetEncryptionConfiguration",
    },
    "aws_s3_bucket_versioning": {BUCKET: "s3: PutBucketVersioning GetBucketVersioning"},
    "aws_secretsmanager_secret": {
        arn("secretsmanager", "secret:registry-keys-AbCdEf"): "secretsmanager: CreateSecret DescribeSecret UpdateSecret"
        " GetResourcePolicy DeleteSecret RestoreSecret TagResource UntagResource",
        KEY: "kms: DescribeKey Decrypt GenerateDataKey",
    },
    "aws_security_group": {
        SECURITY_GROUP: "ec2: CreateSecurityGroup DeleteSecurityGroup RevokeSecurityGroupEgress CreateTags DeleteTags",
        arn("ec2", f"vpc/vpc-{ID}"): "ec2: CreateSecurityGroup",
        "*": "ec2: DescribeSecurityGroups DescribeNetworkInterfaces",
    },
    "aws_sns_topic": {
        TOPIC: "sns: CreateTopic GetTopicAttributes SetTopicAttributes DeleteTopic" + TAGS,
    },
    "aws_sqs_queue": {
        QUEUE: "sqs: CreateQueue GetQueueAttributes SetQueueAttributes DeleteQueue TagQueue UntagQueue ListQueueTags",
    },
    "aws_sqs_queue_redrive_allow_policy": {QUEUE: "sqs: SetQueueAttributes GetQueueAttributes"},
    "aws_vpc_security_group_egress_rule": {
        SECURITY_GROUP: RULES.format("Egress"),
        RULE_OF_GROUP: "ec2: AuthorizeSecurityGroupEgress ModifySecurityGroupRules CreateTags DeleteTags",
        "*": "ec2: DescribeSecurityGroupRules",
    },
    "aws_vpc_security_group_ingress_rule": {
        SECURITY_GROUP: RULES.format("Ingress"),
        RULE_OF_GROUP: "ec2: AuthorizeSecurityGroupIngress ModifySecurityGroupRules CreateTags DeleteTags",
        "*": "ec2: DescribeSecurityGroupRules",
    },
    "aws_wafv2_ip_set": {ADDRESSES: "wafv2: CreateIPSet GetIPSet UpdateIPSet DeleteIPSet" + TAGS},
    "aws_wafv2_web_acl": {
        ACL: "wafv2: CreateWebACL GetWebACL UpdateWebACL DeleteWebACL" + TAGS,
        ADDRESSES: "wafv2: CreateWebACL UpdateWebACL",
        MANAGED: "wafv2: CreateWebACL UpdateWebACL",
    },
    # Neither of these asks IAM: every caller may learn who it is, and the partition is a constant.
    "aws_caller_identity": {},
    "aws_partition": {},
    "terraform_data": {},
}

# Command -> resource -> actions of infra/secrets.py and infra/first_user.py.
COMMANDS: Mapping[str, Mapping[str, str]] = {
    "fill_keys": {
        arn("secretsmanager", "secret:registry-keys-AbCdEf"): "secretsmanager: DescribeSecret GetSecretValue"
        " PutSecretValue",
        EDGE["key-value-store"]: "cloudfront-keyvaluestore: DescribeKeyValueStore UpdateKeys",
        SERVICE: "ecs: UpdateService",
        KEY: "kms: Decrypt GenerateDataKey",
    },
    "first_user": {
        arn("secretsmanager", "secret:registry-keys-AbCdEf"): "secretsmanager: GetSecretValue",
        arn("dynamodb", "table/registry"): "dynamodb: BatchGetItem BatchWriteItem ConditionCheckItem DeleteItem GetItem"
        " PutItem Query UpdateItem",
        arn("dynamodb", "table/registry/index/view"): "dynamodb: Query",
    },
    "rotate_keys": {FUNCTION: "lambda: GetFunction GetFunctionConfiguration UpdateFunctionConfiguration"},
}
# Action -> why it is allowed on every resource. The reference lists no type of resource for them.
WITHOUT_RESOURCES = {
    "acm:RequestCertificate": "the certificate does not exist yet",
    "ecs:DescribeTaskDefinition": "ECS knows no resource for it",
    "ecs:DeregisterTaskDefinition": "ECS knows no resource for it",
    "lambda:CreateEventSourceMapping": "the condition lambda:FunctionArn bounds it",
    "lambda:GetEventSourceMapping": "a mapping that is gone has no function which a condition could compare",
    "logs:CreateLogDelivery": "deliveries of this kind have no ARN",
    "logs:DeleteLogDelivery": "deliveries of this kind have no ARN",
    "logs:GetLogDelivery": "deliveries of this kind have no ARN",
    "logs:ListLogDeliveries": "deliveries of this kind have no ARN",
    "logs:UpdateLogDelivery": "deliveries of this kind have no ARN",
    "logs:PutResourcePolicy": "a region's policies for logs have no ARN",
    "logs:DescribeResourcePolicies": "a region's policies for logs have no ARN",
    "logs:PutQueryDefinition": "saved queries have no ARN",
    "logs:DeleteQueryDefinition": "saved queries have no ARN",
    "logs:DescribeQueryDefinitions": "saved queries have no ARN",
} | {
    f"{service}:Describe{what}": "descriptions of this service cannot be bounded"
    for service, kinds in {
        "ec2": "InternetGateways ManagedPrefixLists NetworkInterfaces SecurityGroupRules SecurityGroups Subnets Vpcs",
        "elasticloadbalancing": "CapacityReservation ListenerAttributes Listeners LoadBalancerAttributes LoadBalancers"
        " Tags TargetGroupAttributes TargetGroups",
    }.items()
    for what in kinds.split()
}
