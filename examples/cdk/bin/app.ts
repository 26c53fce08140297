import { App } from "aws-cdk-lib";
import { ClipsStack } from "../lib/clips-stack";

const app = new App();
new ClipsStack(app, "Clips", {
  packagedTemplate: app.node.tryGetContext("template") ?? process.env.STILLMOTION_TEMPLATE ?? "packaged.yaml",
  dailySpendLimitUsd: Number(app.node.tryGetContext("dailySpendLimitUsd") ?? 20),
});
app.synth();
