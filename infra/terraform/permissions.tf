# A role for each function. The permissions of a trigger are added with the trigger; all others are in `permissions`.

locals {
  # Chalice's name of a function -> statements.
  permissions = {
    api_handler = concat(local.using_table, [
      {
        Sid    = "Bytes"
        Effect = "Allow"
        Action = [
          "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject",
        ]
        Resource = [for prefix in concat(local.arrivals, ["bodies"]) : "${aws_s3_bucket.blobs.arn}/${prefix}/*"]
      },
      {
        # What the edge wrote, and whether an object that S3 denies is missing (chalicelib/storage/objects.py).
        Sid       = "Find"
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = [aws_s3_bucket.blobs.arn]
        Condition = { StringLike = { "s3:prefix" = [for prefix in concat(local.arrivals, ["bodies"]) : "${prefix}/*"] } }
      },
      {
        Sid    = "Exports"
        Effect = "Allow"
        # The exports, to presign their addresses.
        Action   = ["s3:GetObject"]
        Resource = ["${aws_s3_bucket.blobs.arn}/exports/*"]
      },
    ], local.reading_keys, local.sending)

    # A mirror's run pushes as a client does, and deletes the bytes of an upload that it cancels.
    mirrors = concat(local.using_table, [
      {
        Sid    = "Bytes"
        Effect = "Allow"
        Action = [
          "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject",
        ]
        Resource = [for prefix in concat(local.arrivals, ["bodies"]) : "${aws_s3_bucket.blobs.arn}/${prefix}/*"]
      },
      {
        # Whether an object that S3 denies is missing (chalicelib/storage/objects.py).
        Sid       = "Find"
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = [aws_s3_bucket.blobs.arn]
        Condition = { StringLike = { "s3:prefix" = [for prefix in concat(local.arrivals, ["bodies"]) : "${prefix}/*"] } }
      },
    ], local.reading_keys, local.sending)

    # Timers do the work of every service, so they need the whole table, and the prefixes of the bucket that they write.
    timers = concat(local.using_table, [
      {
        Sid      = "Exports"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
        Resource = ["${aws_s3_bucket.blobs.arn}/exports/*"]
      },
      {
        Sid      = "Garbage"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject"]
        Resource = [for prefix in ["in", "bodies"] : "${aws_s3_bucket.blobs.arn}/${prefix}/*"]
      },
      {
        # The references of a deleted manifest are read from its bytes.
        Sid      = "Manifests"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["${aws_s3_bucket.blobs.arn}/bodies/*"]
      },
      {
        # Whether an object that S3 denies is missing.
        Sid       = "Find"
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = [aws_s3_bucket.blobs.arn]
        Condition = { StringLike = { "s3:prefix" = ["bodies/*", "exports/*"] } }
      },
    ], local.reading_keys, local.sending)

    # An expired tag: its row, its life, its record, and the timers of its manifest. No bytes, and no listing.
    dispatch = [{
      Sid      = "Table"
      Effect   = "Allow"
      Action   = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
      Resource = [aws_dynamodb_table.registry.arn]
      Condition = {
        "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["R#*", "N#*", "TIMER#*", "LOG#*"] }
      }
    }]

    reconcile = [
      {
        Sid    = "Table"
        Effect = "Allow"
        # Its place, the blobs and the fences: it may write no other rows.
        Action   = ["dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:GetItem", "dynamodb:PutItem"]
        Resource = [aws_dynamodb_table.registry.arn]
        Condition = {
          "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["SYSTEM", "BLOB#*", "FENCE#*"] }
        }
      },
      {
        # The bytes of manifests.
        Sid       = "Manifests"
        Effect    = "Allow"
        Action    = ["dynamodb:GetItem"]
        Resource  = [aws_dynamodb_table.registry.arn]
        Condition = { "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["R#*"] } }
      },
      {
        Sid      = "Bytes"
        Effect   = "Allow"
        Action   = ["s3:DeleteObject", "s3:GetObject"]
        Resource = [for prefix in ["in", "bodies"] : "${aws_s3_bucket.blobs.arn}/${prefix}/*"]
      },
      {
        # The whole prefixes, and whether an object that S3 denies is missing.
        Sid       = "Look"
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = [aws_s3_bucket.blobs.arn]
        Condition = { StringLike = { "s3:prefix" = ["in/*", "bodies/*"] } }
      },
    ]
  }

  using_table = [
    {
      Sid    = "Table"
      Effect = "Allow"
      # A transaction needs the actions of its items.
      Action = [
        "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem",
        "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem",
      ]
      Resource = [aws_dynamodb_table.registry.arn]
    },
    {
      Sid      = "Indexes"
      Effect   = "Allow"
      Action   = ["dynamodb:Query"]
      Resource = [for index in local.indexes : "${aws_dynamodb_table.registry.arn}/index/${index.name}"]
    },
  ]

  reading_keys = [{
    Sid      = "Keys"
    Effect   = "Allow"
    Action   = ["secretsmanager:GetSecretValue"]
    Resource = [aws_secretsmanager_secret.keys.arn]
  }]

  # Functions that wake a worker send it a message.
  sending = [for queue in ["mirrors"] : {
    Sid      = "Wake"
    Effect   = "Allow"
    Action   = ["sqs:SendMessage"]
    Resource = [aws_sqs_queue.this[queue].arn]
  } if contains(keys(local.queues), queue)]

  using_key = [for arn in compact([var.kms_key_arn]) : {
    Sid      = "Encryption"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource = [arn]
  }]

  tracing = [{
    Sid    = "Traces"
    Effect = "Allow"
    # X-Ray has no ARNs for what these two actions write.
    Action   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    Resource = ["*"]
  }]

  logging = { for key, group in aws_cloudwatch_log_group.function : key => [{
    Sid      = "Logs"
    Effect   = "Allow"
    Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    Resource = ["${group.arn}:*"]
  }] }

  reading_queue = { for key, trigger in local.queue_triggers : key => [{
    Sid    = "Queue"
    Effect = "Allow"
    Action = [
      "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage",
    ]
    Resource = [aws_sqs_queue.this[trigger.queue].arn]
  }] }

  reading_stream = { for key, trigger in local.stream_triggers : key => [
    {
      Sid    = "Stream"
      Effect = "Allow"
      Action = [
        "dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams",
      ]
      Resource = ["${aws_dynamodb_table.registry.arn}/stream/*"]
    },
    {
      Sid      = "Failures"
      Effect   = "Allow"
      Action   = ["sqs:SendMessage"]
      Resource = [aws_sqs_queue.this["dispatch-failed"].arn]
    },
  ] }
}

resource "aws_iam_role" "function" {
  for_each = local.functions

  name                 = each.value.name
  description          = "What ${each.value.name} may do"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions

  name = "permissions"
  role = aws_iam_role.function[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      local.logging[each.key],
      [for statement in local.tracing : statement if var.tracing],
      local.using_key,
      try(local.reading_queue[each.key], []),
      try(local.reading_stream[each.key], []),
      try(local.permissions[each.key], []),
    )
  })
}
