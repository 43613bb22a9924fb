/** Operators of real nodes: a listener of their own, a token in a file, and `lithair key`, on each runtime. */
import { chmodSync, existsSync, rmSync, statSync, writeFileSync } from "node:fs"
import { request as httpRequest } from "node:http"
import { type AddressInfo, createServer, type Server } from "node:net"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { eventually, expectThat, freePort, type Runtime, runToEnd, startCluster, type TestNode } from "./Processes.ts"
import { temporaryDirectory } from "./Programs.ts"

const cli = fileURLToPath(new URL("../../src/cli.ts", import.meta.url))
const token = "0123456789abcdef0123456789abcdef"
const other = "fedcba9876543210fedcba9876543210"

/** The status of a GET on a port or a unix socket of this host. */
const statusOf = (at: { readonly port: number } | { readonly socketPath: string }, path: string, shown?: string) =>
  Effect.callback<number>((resume) => {
    const headers = shown === undefined ? {} : { authorization: `Bearer ${shown}` }
    const asked = httpRequest({ ...at, path, headers: { host: "localhost", ...headers }, agent: false }, (response) => {
      response.resume()
      response.once("end", () => resume(Effect.succeed(response.statusCode ?? 0)))
    })
    asked.once("error", () => resume(Effect.succeed(0)))
    asked.end()
  })

/** The port of a server that ends each connection once a request has come. */
const breakingOff = Effect.acquireRelease(
  Effect.callback<Server>((resume) => {
    const server = createServer((socket) => socket.on("error", () => {}).once("data", () => socket.destroy()))
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) => Effect.sync(() => void server.close())
).pipe(Effect.map((server) => (server.address() as AddressInfo).port))

/** The paths for operators. */
const paths = ["/_admin/api/cluster", "/_admin/api/members", "/_admin/api/keys", "/metrics"]
const documents = ["/docs", "/openapi.json"]

const untilStatus = (what: string, status: number, asked: Effect.Effect<number>) =>
  eventually(
    what,
    Effect.flatMap(asked, (found) => expectThat(found === status, `it is ${found}`))
  )

const started = (runtime: Runtime, environment: Record<string, string>) =>
  Effect.map(
    startCluster([runtime], () => Effect.succeed(environment)),
    ([node]) => node as TestNode
  )

describe.for<Runtime>(["node", "bun", "deno"])("operators of a node on %s", (runtime) => {
  it.live(
    "are served on a port of their own and nowhere else, with the token that the file holds now",
    () =>
      Effect.gen(function* () {
        const file = join(yield* temporaryDirectory, "admin.token")
        writeFileSync(file, `${token}\n`)
        const port = yield* freePort
        const node = yield* started(runtime, {
          LITHAIR_ADMIN_LISTEN: String(port),
          LITHAIR_ADMIN_TOKEN_FILE: file
        })
        const own = { port }
        const main = { port: node.port }
        for (const path of [...paths, ...documents]) {
          assert.strictEqual(yield* statusOf(main, path, token), 404, path)
        }
        for (const path of paths) {
          const statuses = yield* Effect.forEach([undefined, other, token], (shown) => statusOf(own, path, shown))
          assert.deepStrictEqual(statuses, [401, 401, 200], path)
        }
        for (const path of [...documents, "/livez", "/readyz"])
          assert.strictEqual(yield* statusOf(own, path), 200, path)
        for (const path of ["/livez", "/readyz"]) assert.strictEqual(yield* statusOf(main, path), 200, path)
        assert.strictEqual(yield* statusOf(own, "/api/products", token), 404)

        // Both count while one replaces the other.
        writeFileSync(file, `${other}\n${token}\n`)
        yield* untilStatus("the new token counts", 200, statusOf(own, "/metrics", other))
        assert.strictEqual(yield* statusOf(own, "/metrics", token), 200)
        writeFileSync(file, other)
        yield* node.signal("SIGHUP")
        yield* untilStatus("the former token counts no more", 401, statusOf(own, "/metrics", token))
        // A weak token is refused, and a file that is gone is none.
        for (const spoil of [() => writeFileSync(file, "weak"), () => rmSync(file)]) {
          spoil()
          yield* node.signal("SIGHUP")
          yield* eventually(
            "the node says so",
            Effect.suspend(() => expectThat(/The former admin token counts on/.test(node.output()), node.output()))
          )
          assert.strictEqual(yield* statusOf(own, "/metrics", other), 200)
          assert.strictEqual(yield* statusOf(own, "/metrics", "weak"), 401)
        }
        assert.notInclude(node.output(), other)
        assert.isTrue(node.isRunning())
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "are served on a unix socket that the node's user alone may open, also after the node was killed",
    () =>
      Effect.gen(function* () {
        const path = join(yield* temporaryDirectory, "admin.sock")
        const node = yield* started(runtime, { LITHAIR_ADMIN_LISTEN: path })
        const own = { socketPath: path }
        assert.strictEqual(statSync(path).mode & 0o777, 0o600)
        for (const each of [...paths, ...documents]) {
          assert.strictEqual(yield* statusOf(own, each), 200, each)
          assert.strictEqual(yield* statusOf({ port: node.port }, each), 404, each)
        }
        // The command line asks there too, as one of several places.
        const run = (flags: ReadonlyArray<string>, nodes: string) =>
          runToEnd(["key", ...flags, "--json"], cli, { LITHAIR_NODES: nodes }, runtime)
        const made = yield* run(["create", "ada"], `unix:${path}.none,unix:${path}`)
        assert.strictEqual(made.code, 0, made.stderr)
        const listed = yield* run(["list"], `unix://${path}`)
        assert.deepInclude(JSON.parse(listed.stdout)[0], { name: "ada", id: JSON.parse(made.stdout).id })
        yield* node.stop("SIGKILL")
        assert.isTrue(existsSync(path))
        const gone = yield* run(["list"], `unix:${path}`)
        assert.strictEqual(gone.code, 3, gone.stderr)
        assert.match(gone.stderr, /^lithair: Cannot reach unix:.*admin\.sock: /)
        yield* node.start
        yield* untilStatus("the socket answers again", 200, statusOf(own, "/readyz"))
        assert.strictEqual(yield* node.stop("SIGTERM"), 0)
        assert.isFalse(existsSync(path))
      }).pipe(Effect.scoped),
    60_000
  )
})

describe("a node of operators", () => {
  it.live("does not start with a weak or missing token, or a place that is none, and says so in one line", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const port = String(yield* freePort)
      const weak = join(directory, "weak")
      writeFileSync(weak, "a".repeat(64))
      const file = join(directory, "file")
      writeFileSync(file, "")
      chmodSync(file, 0o600)
      for (const [flags, says] of [
        [["--admin-token-file", weak], /too weak: it needs at least 32 characters, 8 of them distinct/],
        [["--admin-token-file", join(directory, "none")], /Cannot read ".*none"/],
        [["--admin-token-file", file], /holds no token/],
        [["--admin-listen", "http://127.0.0.1:9"], /--admin-listen: .*without "http:\/\/"/],
        [["--admin-listen", "127.0.0.1:70000"], /--admin-listen: .*write port, host:port, or a path/],
        [["--admin-listen", port], /EADDRINUSE|in use/],
        [["--admin-listen", file], /EADDRINUSE|in use/]
      ] as const) {
        const { code, stderr } = yield* runToEnd(["--port", port, "--data", join(directory, "data"), ...flags])
        assert.strictEqual(code, 1, stderr)
        assert.match(stderr, says)
        assert.strictEqual(stderr.trim().split("\n").length, 1, stderr)
      }
    }).pipe(Effect.scoped)
  )
})

describe("lithair key", () => {
  it.live(
    "makes, lists and revokes keys with a token file, and its exit codes tell what happened",
    () =>
      Effect.gen(function* () {
        const file = join(yield* temporaryDirectory, "admin.token")
        const made = yield* runToEnd(["secret", "new"], cli)
        assert.match(made.stdout, /^[\w-]{43}\n$/)
        writeFileSync(file, made.stdout)
        const node = yield* started("node", { LITHAIR_ADMIN_TOKEN_FILE: file })
        const silent = yield* freePort
        const nodes = { LITHAIR_NODES: `127.0.0.1:${silent},${node.url}` }
        const run = (flags: ReadonlyArray<string>, environment: Record<string, string> = {}) =>
          runToEnd(["key", ...flags], cli, { ...nodes, LITHAIR_TOKEN_FILE: file, ...environment })
        const json = (flags: ReadonlyArray<string>) =>
          Effect.map(run([...flags, "--json"]), ({ code, stderr, stdout }) => {
            assert.strictEqual(code, 0, stderr)
            return JSON.parse(stdout)
          })

        const key = yield* run(["create", "ada", "--roles", "staff,lithair:viewer", "--expires", "90d"])
        assert.strictEqual(key.code, 0, key.stderr)
        assert.match(key.stdout, /^lk1_\w{16}_[\w-]{43}\n$/)
        const bob = yield* json(["create", "bob"])
        assert.deepInclude(bob, { name: "bob", roles: [], expiresAt: null })
        const listed = yield* json(["list"])
        assert.deepStrictEqual(
          listed.map(({ name, roles }: { name: string; roles: unknown }) => [name, roles]).toSorted(),
          [
            ["ada", ["staff", "lithair:viewer"]],
            ["bob", []]
          ]
        )
        assert.notInclude(JSON.stringify(listed), bob.key)
        assert.match((yield* run(["list"])).stdout, /^id +name +roles +created +expires\n(.*\n)*.*bob/)
        assert.deepStrictEqual(yield* json(["revoke", bob.id, "--yes"]), { revoked: bob.id })

        const codes: ReadonlyArray<readonly [number, ReadonlyArray<string>, Record<string, string>?]> = [
          [1, ["revoke", bob.id, "--yes"]],
          [1, ["create", "x".repeat(300)]],
          [2, ["revoke", bob.id]],
          [2, ["revoke", "no-id", "--yes"]],
          [2, ["create", "x", "--expires", "soon"]],
          [2, ["list", "--unknown"]],
          [2, ["list"], { LITHAIR_TOKEN_FILE: `${file}.none` }],
          [3, ["list"], { LITHAIR_NODES: `127.0.0.1:${silent}` }],
          [3, ["create", "x"], { LITHAIR_NODES: `127.0.0.1:${silent}` }],
          [5, ["list"], { LITHAIR_TOKEN_FILE: "", LITHAIR_SECRET: token }]
        ]
        for (const [expected, flags, environment] of codes) {
          const { code, stderr, stdout } = yield* run(flags, environment)
          assert.strictEqual(code, expected, `${flags.join(" ")}: ${stdout}${stderr}`)
          assert.match(stderr, /^(This revokes .*\n)?(lithair: .*|Nobody .*)\n$/)
        }
        // A node that breaks off within the request may have done it, so no other node is asked.
        const broken = `127.0.0.1:${yield* breakingOff}`
        assert.strictEqual((yield* run(["create", "x"], { LITHAIR_NODES: `${broken},${node.url}` })).code, 4)
        assert.strictEqual((yield* run(["list"], { LITHAIR_NODES: `${broken},${node.url}` })).code, 0)
        assert.notInclude(node.output(), made.stdout.trim())
      }).pipe(Effect.scoped),
    60_000
  )
})
