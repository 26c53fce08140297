"""What scripts/deployer.py cannot read out of the schemas: names of resources, and what the template does not use."""

from __future__ import annotations

PASSED_TO = ["lambda.amazonaws.com", "states.amazonaws.com", "events.amazonaws.com", "codedeploy.amazonaws.com"]

_HERE = "${AWS::Region}:${AWS::AccountId}"


def _arn(service: str, *names: str, region: str = _HERE) -> list[str]:
    return [f"arn:${{AWS::Partition}}:{service}:{region}:{name}" for name in names]


_FUNCTIONS = _arn("lambda", "function:${StackName}-*")
_BUCKETS = _arn("s3", "${StackName}-*", region=":")
_RULES = _arn("events", "rule/${StackName}-*")
_QUEUES = _arn("sqs", "${StackName}-*")
_API = _arn("apigateway", "/restapis", "/restapis/*", "/tags/*", region="${AWS::Region}:")
_TOPICS = _arn("sns", "${StackName}-*")
# Names as CloudFormation makes them: the stack's name first, but for secrets, layers and state machines.
RESOURCES: dict[str, list[str]] = {
    "AWS::ApiGateway::Account": _arn("apigateway", "/account", region="${AWS::Region}:"),
    "AWS::ApiGateway::Deployment": _API,
    "AWS::ApiGateway::RestApi": _API,
    "AWS::ApiGateway::Stage": _API,
    # A nested one, named after the stack and its own logical id.
    "AWS::CloudFormation::Stack": _arn("cloudformation", "stack/${StackName}-*"),
    "AWS::CloudWatch::Alarm": _arn("cloudwatch", "alarm:${StackName}-*"),
    "AWS::CloudWatch::CompositeAlarm": _arn("cloudwatch", "alarm:${StackName}-*"),
    "AWS::CloudWatch::Dashboard": _arn("cloudwatch", "dashboard/${StackName}*", region=":${AWS::AccountId}"),
    "AWS::CodeDeploy::Application": _arn("codedeploy", "application:${StackName}-*"),
    "AWS::CodeDeploy::DeploymentGroup": _arn(
        "codedeploy", "deploymentgroup:${StackName}-*", "application:${StackName}-*", "deploymentconfig:*"
    ),
    "AWS::DynamoDB::Table": _arn("dynamodb", "table/${StackName}-*"),
    "AWS::Events::EventBus": _arn("events", "event-bus/${StackName}-*"),
    "AWS::Events::Rule": _RULES,
    "AWS::IAM::ManagedPolicy": _arn("iam", "policy/${StackName}-*", region=":${AWS::AccountId}"),
    "AWS::IAM::Policy": _arn("iam", "role/${StackName}-*", region=":${AWS::AccountId}"),
    "AWS::IAM::Role": _arn("iam", "role/${StackName}-*", region=":${AWS::AccountId}"),
    "AWS::KMS::Alias": _arn("kms", "alias/${StackName}*", "key/*"),
    "AWS::Lambda::Alias": _FUNCTIONS,
    "AWS::Lambda::EventInvokeConfig": _FUNCTIONS,
    "AWS::Lambda::Function": _FUNCTIONS,
    "AWS::Lambda::LayerVersion": _arn("lambda", "layer:*"),
    "AWS::Lambda::Permission": _FUNCTIONS,
    "AWS::Lambda::Url": _FUNCTIONS,
    "AWS::Lambda::Version": _FUNCTIONS,
    "AWS::Logs::LogGroup": _arn("logs", "log-group:${StackName}-*", "log-group:/aws/*/${StackName}*"),
    "AWS::Logs::MetricFilter": _arn("logs", "log-group:${StackName}-*"),
    "AWS::Logs::QueryDefinition": _arn("logs", "*"),
    "AWS::S3::Bucket": _BUCKETS,
    "AWS::S3::BucketPolicy": _BUCKETS,
    "AWS::SNS::Topic": _TOPICS,
    "AWS::SNS::TopicPolicy": _TOPICS,
    "AWS::SQS::Queue": _QUEUES,
    "AWS::SQS::QueuePolicy": _QUEUES,
    "AWS::SSM::Parameter": _arn("ssm", "parameter/${StackName}/*", "parameter/stillmotion/${StackName}/*"),
    "AWS::SecretsManager::Secret": _arn("secretsmanager", "secret:*Secret-*"),
    "AWS::StepFunctions::StateMachine": _arn("states", "stateMachine:${StackName}-*", "stateMachine:Generate*"),
}
CODE = {"s3:GetObject", "s3:GetObjectVersion"}
"""How functions, layers and definitions are read; calls of other services belong to properties that are not set."""
# Of properties that the template does not set, and names in the schemas that are no IAM actions.
UNUSED = {
    *("dynamodb:AssociateTableReplica", "dynamodb:BatchWriteItem", "dynamodb:CreateTableReplica"),
    *("dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:ImportTable", "dynamodb:PutItem", "dynamodb:Query"),
    *("dynamodb:Scan", "dynamodb:UpdateItem", "dynamodb:DescribeImport"),
    *("dynamodb:EnableKinesisStreamingDestination", "dynamodb:DisableKinesisStreamingDestination"),
    *("dynamodb:UpdateKinesisStreamingDestination", "dynamodb:PutResourcePolicy", "dynamodb:DeleteResourcePolicy"),
    *("lambda:DeleteFunctionCodeSigningConfig", "lambda:PassCapacityProvider", "lambda:PutFunctionScalingConfig"),
    *("lambda:PutProvisionedConcurrencyConfig", "lambda:DeleteProvisionedConcurrencyConfig"),
    *("lambda:GetProvisionedConcurrencyConfig", "lambda:PutRuntimeManagementConfig"),
    *("lambda:PutFunctionCodeSigningConfig", "lambda:GetCodeSigningConfig", "lambda:PutFunctionRecursionConfig"),
    *(
        "logs:CreateLogDelivery",
        "logs:DeleteDataProtectionPolicy",
        "logs:PutDataProtectionPolicy",
        "logs:PutIndexPolicy",
    ),
    *("logs:DeleteIndexPolicy", "logs:PutBearerTokenAuthentication", "logs:PutLogGroupDeletionProtection"),
    *("s3:CreateBucketMetadataTableConfiguration", "s3:DeleteBucketMetadataTableConfiguration"),
    *("s3:UpdateBucketMetadataAnnotationTableConfiguration", "s3:UpdateBucketMetadataInventoryTableConfiguration"),
    *("s3:UpdateBucketMetadataJournalTableConfiguration", "s3:GetObjectMetadata", "s3:REST.PUT.OBJECT"),
    *("s3:DeleteBucketAnalyticsConfiguration", "s3:DeleteBucketCors", "s3:DeleteBucketEncryption"),
    *("s3:DeleteBucketLifecycle", "s3:DeleteBucketMetricsConfiguration", "s3:DeleteBucketReplication"),
    *("s3:DeleteBucketWebsite", "s3:DeleteObject", "s3:PutAccelerateConfiguration", "s3:PutAnalyticsConfiguration"),
    *("s3:PutBucketAbac", "s3:PutBucketAcl", "s3:PutBucketCORS", "s3:PutBucketObjectLockConfiguration"),
    *("s3:PutBucketReplication", "s3:PutBucketWebsite", "s3:PutIntelligentTieringConfiguration"),
    *("s3:PutInventoryConfiguration", "s3:PutMetricsConfiguration", "s3:PutObjectAcl"),
    *("s3:PutObjectLockConfiguration", "s3:PutReplicationConfiguration", "s3:GetBucketAcl"),
    *("secretsmanager:RemoveRegionsFromReplication", "secretsmanager:ReplicateSecretToRegions"),
    *("secretsmanager:GetSecretValue",),  # only for a replicated or rotated one: the deployer does not see the key
    *("sns:PutDataProtectionPolicy", "sns:Subscribe", "sns:Unsubscribe", "sns:GetDataProtectionPolicy"),
    *("codedeploy:RegisterOnPremisesInstance",),
}
# What IAM takes no narrower resource for (*Service Authorization Reference*).
ANYWHERE = {
    *("cloudwatch:DescribeAlarms", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies"),
    *("logs:PutResourcePolicy", "logs:DeleteResourcePolicy", "secretsmanager:GetRandomPassword"),
    *("logs:DescribeIndexPolicies", "logs:DescribeQueryDefinitions"),
    *("logs:DeleteQueryDefinition", "logs:PutQueryDefinition"),
}
ARTIFACTS = _arn("s3", "${ArtifactBucketPrefix}*", "${ArtifactBucketPrefix}*/*", region=":")

HEAD = """\
# Made by python -m scripts.deployer from template.yaml.
AWSTemplateFormatVersion: "2010-09-09"
Description: What deploying Stillmotion takes and no more - a role for CloudFormation, a policy for people and CI.

Parameters:
  StackName:
    Type: String
    Default: stillmotion
    AllowedPattern: "[a-z][a-z0-9-]{0,71}"
    Description: Name of the stack that may be deployed, in lower case, because names of buckets begin with it.
  ArtifactBucketPrefix:
    Type: String
    Default: aws-sam-cli-managed-default-
    Description: How the bucket that sam deploy uploads to begins; the default is the one of --resolve-s3.
  KmsKeyArn:
    Type: String
    Default: ""
    AllowedPattern: (arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+)?
    Description: The stack's KmsKeyArn, where it has one.
  InVpc:
    Type: String
    Default: "false"
    AllowedValues: ["true", "false"]
    Description: Whether the stack's functions run in a VPC.

Conditions:
  HasKmsKey: !Not [!Equals [!Ref KmsKeyArn, ""]]
  HasVpc: !Equals [!Ref InVpc, "true"]

Resources:
  # Given to CloudFormation by sam deploy --role-arn. Whoever may make roles may give them any permission: set a
  # permissions boundary where that matters.
  ServiceRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: { Service: cloudformation.amazonaws.com }
            Action: sts:AssumeRole
            Condition: { StringEquals: { aws:SourceAccount: !Ref AWS::AccountId } }

  # For the people and the pipeline that run sam deploy.
  DeployerPolicy:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      Description: Runs sam deploy of one Stillmotion stack
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Sid: DeployStack
            Effect: Allow
            Action:
              - cloudformation:CreateChangeSet
              - cloudformation:DeleteChangeSet
              - cloudformation:DeleteStack
              - cloudformation:DescribeChangeSet
              - cloudformation:DescribeStackEvents
              - cloudformation:DescribeStacks
              - cloudformation:ExecuteChangeSet
              - cloudformation:GetTemplate
              - cloudformation:ListStackResources
              - cloudformation:UpdateTerminationProtection
            Resource: !Sub arn:${AWS::Partition}:cloudformation:${AWS::Region}:${AWS::AccountId}:stack/${StackName}/*
          - Sid: ExpandTemplate
            Effect: Allow
            Action: cloudformation:CreateChangeSet
            Resource: !Sub arn:${AWS::Partition}:cloudformation:${AWS::Region}:aws:transform/Serverless-2016-10-31
          - Sid: ReadTemplates
            Effect: Allow
            Action: [cloudformation:GetTemplateSummary, cloudformation:ValidateTemplate]
            Resource: "*"
          - Sid: FindArtifactBucket
            Effect: Allow
            Action: [cloudformation:DescribeStacks, cloudformation:CreateChangeSet]
            Resource: !Sub >-
              arn:${AWS::Partition}:cloudformation:${AWS::Region}:${AWS::AccountId}:stack/aws-sam-cli-managed-default/*
          - Sid: UploadArtifacts
            Effect: Allow
            Action: [s3:PutObject, s3:GetObject, s3:ListBucket, s3:GetBucketLocation]
            Resource:
              - !Sub arn:${AWS::Partition}:s3:::${ArtifactBucketPrefix}*
              - !Sub arn:${AWS::Partition}:s3:::${ArtifactBucketPrefix}*/*
          - Sid: HandRoleToCloudFormation
            Effect: Allow
            Action: iam:PassRole
            Resource: !GetAtt ServiceRole.Arn
            Condition: { StringEquals: { iam:PassedToService: cloudformation.amazonaws.com } }
          - Sid: PutApiKey
            Effect: Allow
            Action: secretsmanager:PutSecretValue
            Resource: !Sub arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:*Secret-*
          # Secrets Manager encrypts on behalf of who writes.
          - !If
            - HasKmsKey
            - Sid: EncryptApiKey
              Effect: Allow
              Action: [kms:Decrypt, kms:GenerateDataKey]
              Resource: !Ref KmsKeyArn
              Condition: { StringEquals: { kms:ViaService: !Sub "secretsmanager.${AWS::Region}.${AWS::URLSuffix}" } }
            - !Ref AWS::NoValue

  # Tables, secrets and variables of functions are encrypted on behalf of who makes them.
  KeyPolicy:
    Type: AWS::IAM::ManagedPolicy
    Condition: HasKmsKey
    Properties:
      Description: Lets CloudFormation give Stillmotion's resources their key
      Roles: [!Ref ServiceRole]
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Sid: UseKey
            Effect: Allow
            Action: [kms:Decrypt, kms:DescribeKey, kms:Encrypt, kms:GenerateDataKey]
            Resource: !Ref KmsKeyArn
          - Sid: GrantKeyToServices
            Effect: Allow
            Action: kms:CreateGrant
            Resource: !Ref KmsKeyArn
            Condition: { Bool: { kms:GrantIsForAWSResource: "true" } }

  # EC2 takes no narrower resource for these.
  NetworkPolicy:
    Type: AWS::IAM::ManagedPolicy
    Condition: HasVpc
    Properties:
      Description: Lets CloudFormation put Stillmotion's functions into a VPC
      Roles: [!Ref ServiceRole]
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Sid: LookUpNetwork
            Effect: Allow
            Action: [ec2:DescribeSecurityGroups, ec2:DescribeSubnets, ec2:DescribeVpcs]
            Resource: "*"

"""
TAIL = """\
Outputs:
  ServiceRoleArn:
    Description: For sam deploy --role-arn
    Value: !GetAtt ServiceRole.Arn
  DeployerPolicyArn:
    Description: Attach it to whoever deploys
    Value: !Ref DeployerPolicy
"""
