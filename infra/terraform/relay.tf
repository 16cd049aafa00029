# The upload relay on Fargate, reachable only through CloudFront: a load balancer without a public address, and tasks
# without permissions in AWS (docs/adr/0004). It calls the registry by HTTP, and S3 by presigned addresses.

locals {
  relay_port = 8080

  # Only an image in ECR needs permissions to be pulled.
  relay_repository = try(regex("^(?P<account>[0-9]{12})\\.dkr\\.ecr\\.(?P<region>[a-z0-9-]+)\\.amazonaws\\.com(?:\\.cn)?/(?P<name>[^:@]+)", var.relay.image), null)

  fetching_image = [for repository in local.relay_repository[*] : [
    {
      Effect = "Allow"
      # The sign-in to ECR has no ARN.
      Action   = ["ecr:GetAuthorizationToken"]
      Resource = ["*"]
    },
    {
      Effect   = "Allow"
      Action   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Resource = ["arn:${local.partition}:ecr:${repository.region}:${repository.account}:repository/${repository.name}"]
    },
  ]]
}

resource "aws_cloudwatch_log_group" "relay" {
  count = var.relay == null ? 0 : 1

  #checkov:skip=CKV_AWS_338:log_retention_days sets the retention, 30 days by default.
  name              = "/aws/ecs/${var.name}-relay"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

# The role that starts the task; the task itself has no role.
resource "aws_iam_role" "relay" {
  count = var.relay == null ? 0 : 1

  name                 = "${var.name}-relay"
  description          = "What Fargate may do to start ${var.name}-relay"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "relay" {
  count = var.relay == null ? 0 : 1

  name = "permissions"
  role = aws_iam_role.relay[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${aws_cloudwatch_log_group.relay[0].arn}:*"]
      }],
      local.reading_keys,
      local.using_key,
      flatten(local.fetching_image),
    )
  })
}

resource "aws_ecs_cluster" "relay" {
  count = var.relay == null ? 0 : 1

  #checkov:skip=CKV_AWS_65:Container Insights costs more than the relay.
  name = "${var.name}-relay"
}

resource "aws_ecs_task_definition" "relay" {
  count = var.relay == null ? 0 : 1

  family                   = "${var.name}-relay"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.relay.cpu
  memory                   = var.relay.memory
  execution_role_arn       = aws_iam_role.relay[0].arn

  runtime_platform {
    cpu_architecture        = var.relay.architecture
    operating_system_family = "LINUX"
  }

  container_definitions = jsonencode([{
    name                   = "relay"
    image                  = var.relay.image
    essential              = true
    readonlyRootFilesystem = true
    entryPoint             = ["python", "-m", "relay"]
    command                = ["serve", "--registry", aws_apigatewayv2_api.registry.api_endpoint, "--listen", "0.0.0.0:${local.relay_port}"]
    portMappings           = [{ containerPort = local.relay_port, protocol = "tcp" }]
    secrets                = [{ name = "RELAY_KEY", valueFrom = "${aws_secretsmanager_secret.keys.arn}:relay::" }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.relay[0].name
        awslogs-region        = var.region
        awslogs-stream-prefix = "relay"
      }
    }
  }])
}

resource "aws_ecs_service" "relay" {
  count = var.relay == null ? 0 : 1

  name            = "${var.name}-relay"
  cluster         = aws_ecs_cluster.relay[0].id
  task_definition = aws_ecs_task_definition.relay[0].arn
  desired_count   = var.relay.tasks
  launch_type     = "FARGATE"
  propagate_tags  = "SERVICE"

  network_configuration {
    subnets          = var.relay.subnet_ids
    security_groups  = [aws_security_group.relay[0].id]
    assign_public_ip = var.relay.assign_public_ip
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.relay[0].arn
    container_name   = "relay"
    container_port   = local.relay_port
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  depends_on = [aws_iam_role_policy.relay, aws_lb_listener.relay]
}

resource "aws_lb" "relay" {
  count = var.relay == null ? 0 : 1

  #checkov:skip=CKV_AWS_91:CloudFront and the relay log each request already.
  #checkov:skip=CKV_AWS_150:It stores nothing; deletion_protection protects the resources that do.
  #checkov:skip=CKV2_AWS_20:Only CloudFront reaches it, by HTTP through AWS's own network.
  name                       = "${var.name}-relay"
  internal                   = true
  load_balancer_type         = "application"
  subnets                    = var.relay.subnet_ids
  security_groups            = [aws_security_group.relay_balancer[0].id]
  drop_invalid_header_fields = true
  # S3 may take minutes to join the parts of a large layer.
  idle_timeout = 300
}

resource "aws_lb_target_group" "relay" {
  count = var.relay == null ? 0 : 1

  #checkov:skip=CKV_AWS_378:Inside the VPC only; the relay proves itself to the registry, and S3's addresses are HTTPS.
  name                 = "${var.name}-relay"
  vpc_id               = var.relay.vpc_id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = local.relay_port
  deregistration_delay = 300

  health_check {
    path    = "/relay/health"
    matcher = "200"
  }
}

resource "aws_lb_listener" "relay" {
  count = var.relay == null ? 0 : 1

  #checkov:skip=CKV_AWS_2:CloudFront connects through AWS's own network into the VPC, and a host without a name can have no certificate.
  #checkov:skip=CKV_AWS_103:See CKV_AWS_2.
  load_balancer_arn = aws_lb.relay[0].arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.relay[0].arn
  }
}

data "aws_ec2_managed_prefix_list" "cloudfront" {
  count = var.relay == null ? 0 : 1

  name = "com.amazonaws.global.cloudfront.origin-facing"
}

resource "aws_security_group" "relay_balancer" {
  count = var.relay == null ? 0 : 1

  name        = "${var.name}-relay-balancer"
  description = "CloudFront to the load balancer of ${var.name}-relay"
  vpc_id      = var.relay.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "relay_balancer" {
  count = var.relay == null ? 0 : 1

  #checkov:skip=CKV_AWS_260:Open only to CloudFront's addresses, by AWS's managed prefix list.
  security_group_id = aws_security_group.relay_balancer[0].id
  description       = "From CloudFront"
  prefix_list_id    = data.aws_ec2_managed_prefix_list.cloudfront[0].id
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
}

resource "aws_vpc_security_group_egress_rule" "relay_balancer" {
  count = var.relay == null ? 0 : 1

  security_group_id            = aws_security_group.relay_balancer[0].id
  description                  = "To the relay"
  referenced_security_group_id = aws_security_group.relay[0].id
  ip_protocol                  = "tcp"
  from_port                    = local.relay_port
  to_port                      = local.relay_port
}

resource "aws_security_group" "relay" {
  count = var.relay == null ? 0 : 1

  name        = "${var.name}-relay"
  description = "The load balancer to ${var.name}-relay, and from there to S3 and the registry"
  vpc_id      = var.relay.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "relay" {
  count = var.relay == null ? 0 : 1

  security_group_id            = aws_security_group.relay[0].id
  description                  = "From the load balancer"
  referenced_security_group_id = aws_security_group.relay_balancer[0].id
  ip_protocol                  = "tcp"
  from_port                    = local.relay_port
  to_port                      = local.relay_port
}

resource "aws_vpc_security_group_egress_rule" "relay" {
  count = var.relay == null ? 0 : 1

  security_group_id = aws_security_group.relay[0].id
  description       = "To S3 and the registry"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_cloudfront_vpc_origin" "relay" {
  count = var.relay == null ? 0 : 1

  vpc_origin_endpoint_config {
    name                   = "${var.name}-relay"
    arn                    = aws_lb.relay[0].arn
    http_port              = 80
    https_port             = 443
    origin_protocol_policy = "http-only"

    origin_ssl_protocols {
      items    = ["TLSv1.2"]
      quantity = 1
    }
  }
}
