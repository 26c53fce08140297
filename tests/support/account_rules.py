"""What a bank asks first: the parameters of each rule of an account, as somebody would give them."""

from __future__ import annotations

KEY = "arn:aws:kms:eu-central-1:123456789012:key/0f"
BOUNDARY = "arn:aws:iam::123456789012:policy/bounds"
VPC = {"VpcSubnetIds": "subnet-0a1b2c3d,subnet-1a1b2c3d", "VpcSecurityGroupIds": "sg-0a1b2c3d"}
RULES: dict[str, dict[str, str]] = {
    "boundary": {"PermissionsBoundaryArn": BOUNDARY},
    "vpc": VPC,
    "private api": {"ApiVpcEndpointIds": "vpce-0a1b2c3d,vpce-1a1b2c3d"},
    "key": {"KmsKeyArn": KEY},
    "access logs": {"ApiAccessLogs": "true"},
    "versions": {"ObjectVersionDays": "30"},
    "concurrency": {"ReservedConcurrency": "5"},
}
