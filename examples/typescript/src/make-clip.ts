// Makes a clip of a picture: node dist/make-clip.js still.jpg "a slow push in" clip.mp4
// Environment: STILLMOTION_API_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { ApiError, makeClient, need, type Client, type Job, type VideoRequest } from "./client.js";

const RUNNING = ["queued", "submitting", "in_progress", "delivering", "confirming"];
const WAIT_SECONDS = 1800;

/** Store a picture with a presigned POST; its s3:// address. */
async function upload(client: Client, picture: Uint8Array<ArrayBuffer>): Promise<string> {
  const place = need(await client.POST("/uploads", { body: { content_type: "image/jpeg" } }));
  const form = new FormData();
  for (const [name, value] of Object.entries(place.fields)) form.append(name, value);
  form.append("file", new Blob([picture], { type: "image/jpeg" }));
  const answer = await fetch(place.url, { method: "POST", body: form });
  if (!answer.ok) throw new Error(`S3 did not take the picture: HTTP ${answer.status} ${await answer.text()}`);
  return place.s3_uri;
}

/** Look the job up until it has ended, as often as the API asks for. */
async function wait(client: Client, id: string): Promise<Job> {
  for (const deadline = Date.now() + WAIT_SECONDS * 1000; ; ) {
    const answer = await client.GET("/videos/{id}", { params: { path: { id } } });
    const job = need(answer);
    if (!RUNNING.includes(job.status)) return job;
    if (Date.now() > deadline) throw new Error(`${id} is still ${job.status}; it goes on, look it up later`);
    await sleep(1000 * Number(answer.response.headers.get("Retry-After") ?? 5));
  }
}

async function main(picturePath: string, prompt: string, target: string): Promise<void> {
  const env = (name: string): string => {
    const value = process.env[name];
    if (!value) throw new Error(`set ${name}`);
    return value;
  };
  const client = makeClient(env("STILLMOTION_API_URL"), env("AWS_REGION"), {
    accessKeyId: env("AWS_ACCESS_KEY_ID"),
    secretAccessKey: env("AWS_SECRET_ACCESS_KEY"),
    sessionToken: process.env.AWS_SESSION_TOKEN,
  });
  const picture = new Uint8Array(await readFile(picturePath));
  const request: VideoRequest = {
    model: "google/veo-3.1-lite",
    prompt,
    duration: 4,
    frame_images: [{ frame_type: "first_frame", image_url: { url: await upload(client, picture) } }],
  };
  const price = need(await client.POST("/videos", { params: { query: { dry_run: true } }, body: request }));
  if (!("dry_run" in price)) throw new Error("the API made a job of a dry run");
  console.error(`costs at most ${price.estimated_cost_usd} USD`);

  // Made from what is asked for: to run this again finds the same job and pays nothing.
  const key = createHash("sha256").update(picture).update("\0").update(prompt).digest("hex");
  const headers = { "Idempotency-Key": key };
  const made = need(await client.POST("/videos", { params: { header: { "idempotency-key": key } }, headers, body: request }));
  if (!("id" in made)) throw new Error("the API answered a dry run");
  const job = await wait(client, made.id);
  const link = job.video[0]?.url;
  if (job.status !== "completed" || !link) throw new Error(`${job.id} ended as ${job.status}: ${job.error?.message}`);
  await writeFile(target, new Uint8Array(await (await fetch(link)).arrayBuffer()));
  console.log(JSON.stringify({ id: job.id, bytes: job.video[0]?.bytes }));
}

const [picturePath, prompt, target] = process.argv.slice(2);
if (!picturePath || !prompt || !target) {
  console.error('usage: node dist/make-clip.js PICTURE.jpg "PROMPT" CLIP.mp4');
  process.exit(2);
}
main(picturePath, prompt, target).catch((error: unknown) => {
  console.error(error instanceof ApiError ? JSON.stringify(error.problem) : error);
  process.exit(1);
});
