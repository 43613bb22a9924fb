/** Real nodes of every runtime that serve clients and operators under TLS, by flags and variables. docs/deploying.md. */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { writeFiles } from "../Raft/peers/TlsNode.ts"
import { askTls } from "../support/askTls.ts"
import { eventually, exampleScript, expectThat, freePort, makeNode, type Runtime, runToEnd } from "./Processes.ts"
import { makeTlsCluster } from "./Tls.ts"

const cli = fileURLToPath(new URL("../../src/cli.ts", import.meta.url))

describe.for<Runtime>(["node", "bun", "deno"])("a node under TLS on %s", (runtime) => {
  it.live(
    "serves clients, operators and the command line by its certificate, and stops in order",
    () =>
      Effect.gen(function* () {
        const { authority, root } = yield* makeTlsCluster
        const ask = askTls(authority.cert)
        const folder = join(root, "files")
        mkdirSync(folder)
        const names = authority.issue({ dnsNames: ["localhost"] })
        const { caFile, certFile, keyFile } = writeFiles(folder, "node", names, [authority])
        const [port, adminPort] = [yield* freePort, yield* freePort]
        const node = yield* makeNode(runtime, port, {
          flags: ["--cert-file", certFile, "--admin-listen", `localhost:${adminPort}`],
          data: join(root, "data"),
          environment: { LITHAIR_KEY_FILE: keyFile },
          script: exampleScript
        })
        yield* node.start
        yield* eventually(
          () => `it is ready; it said ${node.output()}`,
          Effect.flatMap(ask(port, "GET", "/readyz"), ({ status }) => expectThat(status === 200, "it is")),
          30_000
        )
        const created = yield* ask(port, "POST", "/api/products", JSON.stringify({ name: "Anvil", price: "1.00" }))
        assert.strictEqual(created.status, 201, created.text)
        assert.strictEqual((yield* ask(adminPort, "GET", "/_admin/api/cluster")).status, 200)
        assert.include(node.output(), `listens at https://127.0.0.1:${port}`)
        const listed = yield* runToEnd(["key", "list", `https://localhost:${adminPort}`], cli, {
          NODE_EXTRA_CA_CERTS: caFile
        })
        assert.strictEqual(listed.code, 0, listed.stderr)
        assert.strictEqual(yield* node.stop("SIGTERM"), 0, node.output())
      }).pipe(Effect.scoped),
    60_000
  )
})

describe("a node under TLS", () => {
  it.live("needs both files, and peers under TLS: each is one line", () =>
    Effect.gen(function* () {
      const { authority, root } = yield* makeTlsCluster
      const { certFile, keyFile } = writeFiles(root, "node", authority.issue({ dnsNames: ["localhost"] }), [authority])
      const own = ["--port", String(yield* freePort), "--data", `${root}/x`, "--cert-file", certFile]
      const bad: ReadonlyArray<readonly [ReadonlyArray<string>, RegExp]> = [
        [own, /TLS for clients needs --key-file too/],
        [[...own, "--key-file", certFile], /There is no private key in/],
        [[...own, "--key-file", keyFile, "--peers", "8082"], /A server under TLS takes no peers/]
      ]
      for (const [flags, says] of bad) {
        const { code, stderr } = yield* runToEnd(flags)
        assert.strictEqual(code, 1, stderr)
        assert.match(stderr, says)
        assert.strictEqual(stderr.trim().split("\n").length, 1, stderr)
      }
    }).pipe(Effect.scoped)
  )
})
