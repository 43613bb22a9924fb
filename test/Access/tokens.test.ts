/** Tokens of an issuer and cookies, as credentials: forged, foreign, expired ones, an outage of the key set, foreign pages. */
import { createServer } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Redacted } from "effect"
import { TestClock } from "effect/testing"
import * as jose from "jose"
import * as Access from "../../src/Access.ts"
import * as Authentication from "../../src/Http/Authentication.ts"
import { outcomeOf } from "../../src/Raft/node/Settle.ts"

const issuer = "https://issuer.example"
const audience = "notes"

/** Who an authentication finds behind the headers of a request, or the status of the refusal. */
const asked = (authenticator: Access.Authenticator, headers: Record<string, string>, method = "GET") =>
  Effect.gen(function* () {
    const auth = { authenticators: [authenticator, Access.apiKeys] } as const
    const { begin } = yield* Authentication.make(auth, {} as never, { signedIn: () => undefined })
    const head = { method, headers, visit: undefined }
    const found = yield* Effect.exit(outcomeOf(begin(head)))
    return Exit.isSuccess(found) ? found.value : yield* Effect.map(Effect.flip(found), ({ status }) => status)
  })

describe("a token", () => {
  const make = Effect.promise(async () => {
    const { privateKey, publicKey } = await jose.generateKeyPair("ES256")
    const other = await jose.generateKeyPair("ES256")
    const key = { ...(await jose.exportJWK(publicKey)), kid: "1", alg: "ES256" }
    const sign = (claims: object, more: { alg?: string; key?: unknown; exp?: string | undefined } = {}) => {
      const token = new jose.SignJWT({ iss: issuer, aud: audience, sub: "ada", ...claims })
      token.setProtectedHeader({ alg: more.alg ?? "ES256", kid: "1" })
      if (!("exp" in more) || more.exp !== undefined) token.setExpirationTime(more.exp ?? "1h")
      return token.sign(more.key ?? privateKey) as Promise<string>
    }
    return { key, other: other.privateKey, sign }
  })
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

  it.live("of the issuer makes its subject a principal, with the roles and claims that the application takes", () =>
    Effect.gen(function* () {
      const { key, sign } = yield* make
      const taken = Access.jwt({
        jose,
        issuer,
        audience,
        keys: { keys: [key] },
        roles: ({ groups }) => (Array.isArray(groups) ? groups : []),
        claims: ["team"]
      })
      const token = yield* Effect.promise(() => sign({ groups: ["staff"], team: "red", secret: "s" }))
      const caller = yield* asked(taken, bearer(token))
      assert.deepInclude(caller, { id: `${issuer}|ada`, roles: ["staff"], claims: { team: "red" } })
    })
  )

  it.live("that is forged, unsigned, foreign, expired or incomplete is 401", () =>
    Effect.gen(function* () {
      const { key, other, sign } = yield* make
      const taken = Access.jwt({ jose, issuer, audience, keys: { keys: [key] } })
      const unsigned = [{ alg: "none" }, { iss: issuer, aud: audience, sub: "ada", exp: 4_000_000_000 }]
        .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
        .join(".")
      // The public key as the secret of a symmetric signature.
      const secret = new TextEncoder().encode(JSON.stringify(key))
      const tokens: ReadonlyArray<readonly [string, string]> = yield* Effect.promise(() =>
        Promise.all(
          [
            ["of another key", sign({}, { key: other })],
            ["of alg none", Promise.resolve(`${unsigned}.`)],
            ["of a symmetric algorithm", sign({}, { alg: "HS256", key: secret })],
            ["of another issuer", sign({ iss: "https://other.example" })],
            ["for another audience", sign({ aud: "mail" })],
            ["that has expired", sign({}, { exp: "-1h" })],
            ["without an expiry", sign({}, { exp: undefined })],
            ["without a subject", sign({ sub: undefined })],
            ["that is none", Promise.resolve("nonsense")]
          ].map(async ([what, token]) => [what as string, await (token as Promise<string>)] as const)
        )
      )
      for (const [what, token] of tokens) assert.strictEqual(yield* asked(taken, bearer(token)), 401, what)
      assert.throws(() => Access.jwt({ jose, issuer, audience, keys: { keys: [key] }, algorithms: ["HS256"] }))
    })
  )

  it.effect("is 503 while its key set cannot be had, and taken a second after it can", () =>
    Effect.gen(function* () {
      const { key, sign } = yield* make
      let isUp = false
      const server = createServer((_, response) => {
        response.writeHead(isUp ? 200 : 500, { "content-type": "application/json" })
        response.end(JSON.stringify(isUp ? { keys: [key] } : {}))
      })
      yield* Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)))
      yield* Effect.addFinalizer(() => Effect.sync(() => server.close()))
      const address = server.address()
      const keys = new URL(`http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/keys`)
      const taken = Access.jwt({ jose, issuer, audience, keys })
      const token = yield* Effect.promise(() => sign({}))
      assert.strictEqual(yield* asked(taken, bearer(token)), 503)
      isUp = true
      assert.strictEqual(yield* asked(taken, bearer(token)), 503)
      yield* TestClock.adjust("1 second")
      assert.deepInclude(yield* asked(taken, bearer(token)), { id: `${issuer}|ada` })
    }).pipe(Effect.scoped)
  )
})

describe("a cookie", () => {
  const origin = "https://notes.example"
  const taken = Access.cookie({
    name: "__Host-session",
    origins: [origin],
    verify: (credential) =>
      Redacted.value(credential) === "good"
        ? Effect.succeed({ id: "notes|ada", roles: [], claims: {} })
        : Effect.fail(new Access.Unauthenticated({ message: "no such session" }))
  })
  const good = { cookie: "theme=dark; __Host-session=good" }

  it.effect("is checked by the application, and changes something from an allowed page alone", () =>
    Effect.gen(function* () {
      assert.deepInclude(yield* asked(taken, good), { id: "notes|ada" })
      for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
        assert.deepInclude(yield* asked(taken, { ...good, origin }, method), { id: "notes|ada" })
        for (const headers of [
          {},
          { origin: "https://evil.example" },
          { origin: "null" },
          { origin: `${origin}.evil.example` }
        ]) {
          assert.strictEqual(yield* asked(taken, { ...good, ...headers }, method), 403, JSON.stringify(headers))
        }
      }
    }).pipe(Effect.scoped)
  )

  it.effect("that is bad, sent twice, or beside another credential is 401", () =>
    Effect.gen(function* () {
      for (const headers of [
        { cookie: "__Host-session=bad" },
        { cookie: "__Host-session=good; __Host-session=good" },
        { ...good, authorization: `Bearer lk1_${"a".repeat(16)}_${"b".repeat(43)}` }
      ]) {
        assert.strictEqual(yield* asked(taken, headers), 401, JSON.stringify(headers))
      }
      assert.deepStrictEqual(yield* asked(taken, { cookie: "session=good" }), Access.anonymous)
    }).pipe(Effect.scoped)
  )

  it("has a name that only its host can set, and origins", () => {
    const verify = () => Effect.die("never")
    assert.throws(() => Access.cookie({ name: "session" as never, origins: [origin], verify }), /__Host-/)
    assert.throws(() => Access.cookie({ name: "__Host-s", origins: ["notes.example"], verify }), /no origin/)
  })
})

it.effect("a principal that is too large, or takes the name of an API key, is refused", () =>
  Effect.gen(function* () {
    const made = (more: object): Access.Authenticator => ({
      ...Access.cookie({
        name: "__Host-s",
        origins: ["https://a.example"],
        verify: () => Effect.succeed({ id: "a|b", roles: [], claims: {}, ...more })
      })
    })
    const cookie = { cookie: "__Host-s=x" }
    assert.deepInclude(yield* asked(made({}), cookie), { id: "a|b" })
    for (const more of [
      { id: "" },
      { id: "x".repeat(257) },
      { id: "key:abc" },
      { id: "lithair:system" },
      { roles: [5] },
      { expiresMs: 1.5 },
      { claims: { a: "x".repeat(5000) } }
    ]) {
      assert.strictEqual(yield* asked(made(more), cookie), 401)
    }
  }).pipe(Effect.scoped)
)
