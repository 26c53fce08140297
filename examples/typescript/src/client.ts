// A client of the API whose paths, parameters and answers are typed from openapi.json, and whose calls are signed.
import { AwsClient } from "aws4fetch";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

export type Job = components["schemas"]["JobView"];
export type Problem = components["schemas"]["Problem"];
export type VideoRequest = components["schemas"]["VideoRequest"];

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** An error that the API answered with: `problem.code` is its name. */
export class ApiError extends Error {
  constructor(readonly problem: Problem, readonly status: number) {
    super(`${problem.code}: ${problem.detail}`);
  }
}

export function makeClient(baseUrl: string, region: string, credentials: Credentials) {
  // aws4fetch would repeat a call 10 times after a 5xx. A paid call must not be repeated without an Idempotency-Key.
  const signer = new AwsClient({ ...credentials, region, service: "execute-api", retries: 0 });
  return createClient<paths>({ baseUrl, fetch: (request) => signer.fetch(request) });
}

export type Client = ReturnType<typeof makeClient>;

/** What a call answered with, or an ApiError. */
export function need<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  if (answer.data !== undefined) return answer.data;
  throw new ApiError(answer.error as Problem, answer.response.status);
}
