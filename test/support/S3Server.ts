/**
 * A real server of S3's protocol in a process of its own, with an empty bucket: s3rver. It believes every signature of
 * version 4, so each request passes a gate here that checks it as Amazon's documents say, and the digest of its body.
 * It makes the tokens of its pages with DES, which OpenSSL has among its old ciphers only.
 */
import { spawn } from "node:child_process"
import { createHash, createHmac } from "node:crypto"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer as createGate, request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, Schedule } from "effect"
import { freePort } from "./freePort.ts"

const node = fileURLToPath(new URL("../../node_modules/.bin/node", import.meta.url))
const program = fileURLToPath(new URL("../../node_modules/s3rver/bin/s3rver.js", import.meta.url))

export const bucket = "backups"

/** The keys that s3rver knows. */
export const credentials = { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" }

/** Runs it until the scope closes. `directory` has what it holds. */
export const startS3 = Effect.gen(function* () {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-s3-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const port = yield* freePort
  const flags = ["-d", directory, "-p", String(port), "-a", "127.0.0.1", "--silent", "--configure-bucket", bucket]
  yield* Effect.acquireRelease(
    Effect.sync(() => spawn(node, ["--openssl-legacy-provider", program, ...flags], { stdio: "ignore" })),
    (child) =>
      Effect.promise(async () => {
        const ended = once(child, "close")
        child.kill("SIGKILL")
        await ended
      })
  )
  yield* Effect.tryPromise((signal) => fetch(`http://127.0.0.1:${port}/${bucket}`, { signal })).pipe(
    Effect.retry({ schedule: Schedule.spaced("20 millis"), times: 500 })
  )
  return { endpoint: `http://127.0.0.1:${yield* gateTo(port)}`, directory }
})

const sha256 = (data: string | Uint8Array) => createHash("sha256").update(data).digest("hex")
const hmac = (key: string | Uint8Array, data: string) => createHmac("sha256", key).update(data).digest()
const encoded = (text: string) =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`)

/** What is wrong with a signature of version 4, by "Create a signed AWS API request" of the IAM user guide. */
const wrongWith = (
  method: string,
  url: URL,
  headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>,
  body: Uint8Array
): string | undefined => {
  const pattern =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)$/
  const [, key, day = "", region = "", names = "", signature] = pattern.exec(String(headers.authorization)) ?? []
  if (key !== credentials.accessKeyId) return "InvalidAccessKeyId"
  if (headers["x-amz-content-sha256"] !== sha256(body)) return "XAmzContentSHA256Mismatch"
  const signed = names.split(";")
  if (!["host", "x-amz-content-sha256", "x-amz-date"].every((name) => signed.includes(name))) return "AccessDenied"
  const query = [...url.searchParams].map(([name, value]) => `${encoded(name)}=${encoded(value)}`).sort()
  const request = [
    method,
    url.pathname,
    query.join("&"),
    ...signed.map((name) => `${name}:${String(headers[name]).trim()}`),
    "",
    names,
    sha256(body)
  ].join("\n")
  const scope = `${day}/${region}/s3/aws4_request`
  const text = ["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, sha256(request)].join("\n")
  const signingKey = [region, "s3", "aws4_request"].reduce(hmac, hmac(`AWS4${credentials.secretAccessKey}`, day))
  return createHmac("sha256", signingKey).update(text).digest("hex") === signature ? undefined : "SignatureDoesNotMatch"
}

/** Passes on what is signed. Gives the port. */
const gateTo = (target: number) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<ReturnType<typeof createGate>>((resume) => {
        const gate = createGate(async (incoming, answer) => {
          const parts: Array<Buffer> = []
          for await (const part of incoming) parts.push(part as Buffer)
          const body = Buffer.concat(parts)
          const { headers, method = "GET", url = "/" } = incoming
          const wrong = wrongWith(method, new URL(url, `http://${headers.host}`), headers, body)
          if (wrong !== undefined) {
            answer.writeHead(403).end(`<Error><Code>${wrong}</Code><Message>The gate refuses it</Message></Error>`)
            return
          }
          const passed = request({ port: target, host: "127.0.0.1", method, path: url, headers }, (from) => {
            answer.writeHead(from.statusCode ?? 500, from.headers)
            from.pipe(answer)
          })
          passed.on("error", () => answer.destroy())
          passed.end(body)
        })
        gate.listen(0, "127.0.0.1", () => resume(Effect.succeed(gate)))
      }),
      (gate) =>
        Effect.sync(() => {
          gate.closeAllConnections()
          gate.close()
        })
    ),
    (gate) => {
      const address = gate.address()
      return typeof address === "object" && address !== null ? address.port : 0
    }
  )
