/** A body that is too large is refused so that ordinary clients read why, also those that send all before they read (issue 9.16). */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Runtime, runtimeCommand, startCluster } from "./Processes.ts"

const runtimes: ReadonlyArray<Runtime> = ["node", "bun", "deno"]
const clientScript = fileURLToPath(new URL("largeBodyClient.ts", import.meta.url))
const refused = "413 urn:lithair:problem:too-large"

/** The same by Python's clients, which send all before they read. */
const pythonScript = `
import http.client, json, sys, urllib.error, urllib.parse, urllib.request
url = sys.argv[1]
headers = {"content-type": "application/json"}
said = []
for size in (1500000, 12000000):
    body = b"a" * size
    for sent, chunked in ((body, False), ((body[at:at + 65536] for at in range(0, size, 65536)), True)):
        client = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=20)
        client.request("POST", urllib.parse.urlsplit(url).path, sent, headers, encode_chunked=chunked)
        answer = client.getresponse()
        said.append("%d %s %s" % (answer.status, json.load(answer)["type"], answer.getheader("connection")))
    try:
        urllib.request.urlopen(urllib.request.Request(url, body, headers))
    except urllib.error.HTTPError as error:
        said.append("%d %s" % (error.code, json.load(error)["type"]))
print(json.dumps(said))
`

/** The output of a client; undefined if this machine does not have the program. */
const run = (command: string, args: ReadonlyArray<string>) =>
  Effect.callback<ReadonlyArray<string> | undefined, Error>((resume) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], timeout: 60_000 })
    let stdout = ""
    let stderr = ""
    child.stdout.on("data", (data: Buffer) => {
      stdout += data.toString()
    })
    child.stderr.on("data", (data: Buffer) => {
      stderr += data.toString()
    })
    child.on("error", () => resume(Effect.succeed(undefined)))
    child.on("close", (code) =>
      resume(code === 0 ? Effect.succeed(JSON.parse(stdout)) : Effect.fail(new Error(`${command}: ${stderr}`)))
    )
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

describe("bodies that are too large", () => {
  for (const serving of runtimes) {
    it.live(
      `are 413, and read, by clients of all runtimes and of Python, on ${serving}`,
      () =>
        Effect.gen(function* () {
          const [node] = yield* startCluster([serving])
          const url = `${node!.url}/api/products`
          for (const asking of runtimes) {
            const [command = "", ...args] = runtimeCommand(asking)
            const said = yield* run(command, [...args, clientScript, url])
            const both = [refused, refused, `${refused} close`]
            assert.deepStrictEqual(said, [...both, ...both], asking)
          }
          const said = yield* run("python3", ["-c", pythonScript, url])
          if (said === undefined) return console.log("Left out, since it is not here: python3")
          const each = [`${refused} close`, `${refused} close`, refused]
          return assert.deepStrictEqual(said, [...each, ...each], "python3")
        }).pipe(Effect.scoped),
      120_000
    )
  }
})
