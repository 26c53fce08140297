import { CfnStack, Duration, Stack, type StackProps } from "aws-cdk-lib";
import { EventBus, Rule } from "aws-cdk-lib/aws-events";
import { SqsQueue } from "aws-cdk-lib/aws-events-targets";
import { Asset } from "aws-cdk-lib/aws-s3-assets";
import { Queue } from "aws-cdk-lib/aws-sqs";
import type { Construct } from "constructs";

export interface ClipsStackProps extends StackProps {
  /** The template that `sam package` wrote: its code already lies in S3. */
  packagedTemplate: string;
  dailySpendLimitUsd: number;
}

/** Stillmotion as a nested stack, and a queue with every clip that it has stored. */
export class ClipsStack extends Stack {
  constructor(scope: Construct, id: string, props: ClipsStackProps) {
    super(scope, id, props);
    const template = new Asset(this, "StillmotionTemplate", { path: props.packagedTemplate });
    const stillmotion = new CfnStack(this, "Stillmotion", {
      templateUrl: template.httpUrl,
      parameters: { DailySpendLimitUsd: String(props.dailySpendLimitUsd) },
    });

    const clips = new Queue(this, "FinishedClips", { retentionPeriod: Duration.days(14), enforceSSL: true });
    new Rule(this, "Completed", {
      eventBus: EventBus.fromEventBusName(this, "Bus", stillmotion.getAtt("Outputs.EventBusName").toString()),
      eventPattern: { source: ["stillmotion"], detailType: ["Video Generation Completed"] },
      targets: [new SqsQueue(clips)],
    });
  }
}
