# Stillmotion deployed by Terraform, and a queue with every clip that it has stored.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "packaged_template" {
  description = "The template that `sam package` wrote: its code already lies in S3."
  type        = string
  default     = "packaged.yaml"
}

variable "artifact_bucket" {
  description = "A bucket of yours for the template, which is too large to be sent along."
  type        = string
}

variable "daily_spend_limit_usd" {
  description = "USD that clips may cost in one day (UTC)."
  type        = number
  default     = 20
}

resource "aws_s3_object" "template" {
  bucket      = var.artifact_bucket
  key         = "stillmotion/${filesha256(var.packaged_template)}.yaml"
  source      = var.packaged_template
  source_hash = filesha256(var.packaged_template)
}

resource "aws_cloudformation_stack" "stillmotion" {
  name         = "stillmotion"
  template_url = "https://${var.artifact_bucket}.s3.amazonaws.com/${aws_s3_object.template.key}"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    DailySpendLimitUsd = tostring(var.daily_spend_limit_usd)
  }
}

resource "aws_sqs_queue" "finished_clips" {
  name                      = "finished-clips"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_cloudwatch_event_rule" "completed" {
  name           = "stillmotion-completed"
  description    = "Every clip that Stillmotion has stored"
  event_bus_name = aws_cloudformation_stack.stillmotion.outputs["EventBusName"]
  event_pattern = jsonencode({
    source        = ["stillmotion"]
    "detail-type" = ["Video Generation Completed"]
  })
}

resource "aws_cloudwatch_event_target" "finished_clips" {
  rule           = aws_cloudwatch_event_rule.completed.name
  event_bus_name = aws_cloudformation_stack.stillmotion.outputs["EventBusName"]
  arn            = aws_sqs_queue.finished_clips.arn
}

resource "aws_sqs_queue_policy" "finished_clips" {
  queue_url = aws_sqs_queue.finished_clips.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TakeEvents"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.finished_clips.arn
      Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.completed.arn } }
    }]
  })
}

output "api_url" {
  description = "The API's address"
  value       = aws_cloudformation_stack.stillmotion.outputs["ApiUrl"]
}

output "api_key_secret_arn" {
  description = "Put the ModelGates API key here"
  value       = aws_cloudformation_stack.stillmotion.outputs["ApiKeySecretArn"]
}

output "finished_clips_url" {
  description = "The queue of finished clips; each message is the event"
  value       = aws_sqs_queue.finished_clips.url
}
