/** Attacks with credentials: forged tokens, guesses, an issuer that cannot be reached, weak secrets. docs/access.md. */
import { createServer } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { type Duration, Effect, Exit, Fiber, Result } from "effect"
import { TestClock } from "effect/testing"
import * as jose from "jose"
import * as Access from "../../src/Access.ts"
import * as IssuerKeys from "../../src/Http/IssuerKeys.ts"
import { layer as layerPlace, Place } from "../../src/Lithair/Place.ts"
import { application } from "../Access/Notes.ts"
import { layer, makeKey, send } from "./Target.ts"

const issuer = "https://issuer.example"
const audience = "notes"

/** An issuer with one key, whose server may be down. */
const makeIssuer = Effect.gen(function* () {
  const { privateKey, publicKey } = yield* Effect.promise(() => jose.generateKeyPair("ES256"))
  const key = { ...(yield* Effect.promise(() => jose.exportJWK(publicKey))), kid: "1", alg: "ES256" }
  const state = { isUp: true, askedCount: 0 }
  const server = createServer((_, response) => {
    state.askedCount += 1
    response.writeHead(state.isUp ? 200 : 500, { "content-type": "application/json" })
    response.end(JSON.stringify(state.isUp ? { keys: [key] } : {}))
  })
  yield* Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)))
  yield* Effect.addFinalizer(() => Effect.sync(() => server.close()))
  const address = server.address()
  const url = new URL(`http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/keys`)
  const sign = (claims: object, more: { readonly alg?: string; readonly secret?: Uint8Array } = {}) =>
    Effect.promise(() =>
      new jose.SignJWT({ iss: issuer, aud: audience, sub: "ada", ...claims })
        .setProtectedHeader({ alg: more.alg ?? "ES256", kid: "1" })
        .setExpirationTime("1h")
        .sign(more.secret ?? privateKey)
    )
  return { key, sign, state, url }
})

const path = "/api/plans/none"
const base64 = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url")

describe("a forged token", () => {
  it.live("opens nothing: of alg none, signed with the public key, for another audience, of another issuer", () =>
    Effect.gen(function* () {
      const { key, sign, url } = yield* makeIssuer
      const auth = { ...application.auth, authenticators: [Access.jwt({ jose, issuer, audience, keys: url })] } as const
      yield* Effect.gen(function* () {
        assert.strictEqual((yield* send("GET", path, { key: yield* sign({}) })).status, 404)
        const claims = { iss: issuer, aud: audience, sub: "ada", exp: 4_000_000_000 }
        const forged = {
          "alg none": `${base64({ alg: "none" })}.${base64(claims)}.`,
          "alg None": `${base64({ alg: "None" })}.${base64(claims)}.`,
          "public key as secret": yield* sign({}, { alg: "HS256", secret: Buffer.from(JSON.stringify(key)) }),
          "another audience": yield* sign({ aud: "mail" }),
          "another issuer": yield* sign({ iss: "https://evil.example" }),
          "a key in the token": `${base64({ alg: "ES256", jwk: key })}.${base64(claims)}.${"A".repeat(86)}`
        }
        for (const [what, token] of Object.entries(forged)) {
          const answered = yield* send("GET", path, { key: token })
          assert.deepStrictEqual(
            [answered.status, answered.body.type],
            [401, "urn:lithair:problem:unauthenticated"],
            what
          )
        }
      }).pipe(Effect.provide(layer({ auth })))
    }).pipe(Effect.scoped)
  )

  it.live("cannot name itself an API key, the system or a line of a log", () =>
    Effect.gen(function* () {
      const auth = (id: string) => ({
        ...application.auth,
        authenticators: [
          Access.cookie({
            name: "__Host-s",
            origins: ["https://a.example"],
            verify: () => Effect.succeed({ id, roles: ["staff"], claims: {} })
          })
        ] as const
      })
      for (const id of ["key:abcdabcdabcdabcd", "lithair:system", "", "x".repeat(257)]) {
        const answered = yield* Effect.provide(
          send("GET", path, { headers: { cookie: "__Host-s=1" } }),
          layer({ auth: auth(id) })
        )
        assert.strictEqual(answered.status, 401, id)
      }
    })
  )
})

describe("an issuer that cannot be reached", () => {
  it.live("lets nobody in by a token that nobody can check (503), and nobody out who has one that can be", () =>
    Effect.gen(function* () {
      const { sign, state, url } = yield* makeIssuer
      const auth = { ...application.auth, authenticators: [Access.jwt({ jose, issuer, audience, keys: url })] } as const
      yield* Effect.gen(function* () {
        state.isUp = false
        const key = yield* sign({})
        const refused = yield* send("GET", path, { key })
        assert.deepStrictEqual([refused.status, refused.body.type], [503, "urn:lithair:problem:auth-unavailable"])
        assert.strictEqual(refused.headers["retry-after"], "1")
        // A crowd of tokens is no crowd at the issuer: it is asked again after the second of `Retry-After`.
        const { askedCount } = state
        for (let at = 0; at < 10; at++) yield* send("GET", path, { key })
        assert.isAtMost(state.askedCount - askedCount, 5)
        state.isUp = true
        while ((yield* send("GET", path, { key })).status === 503) yield* Effect.sleep("50 millis")
        assert.strictEqual((yield* send("GET", path, { key })).status, 404)
        state.isUp = false
        assert.strictEqual((yield* send("GET", path, { key })).status, 404)
        // An outage is no reason to believe what is forged.
        assert.strictEqual((yield* send("GET", path, { key: yield* sign({ aud: "mail" }) })).status, 401)
      }).pipe(Effect.provide(layer({ auth })))
    }).pipe(Effect.scoped)
  )

  it.effect("leaves its keys valid for a day, and asks again without holding a request up", () =>
    Effect.gen(function* () {
      let isUp = true
      let askedCount = 0
      /** Told by the test when the issuer answers. */
      let answer = (): void => {}
      let isSlow = false
      const ready = IssuerKeys.make(issuer, {
        reload: () => {
          askedCount += 1
          if (isSlow) return new Promise((resolve) => (answer = resolve))
          return isUp ? Promise.resolve() : Promise.reject(new Error("no route to host"))
        }
      })
      const isReady = Effect.map(Effect.exit(ready), Exit.isSuccess)
      const after = (duration: Duration.Input) => Effect.andThen(TestClock.adjust(duration), isReady)
      isUp = false
      assert.isFalse(yield* isReady)
      isUp = true
      // Not with each request.
      assert.isFalse(yield* after("900 millis"))
      assert.strictEqual(askedCount, 1)
      assert.isTrue(yield* after("100 millis"))
      assert.isTrue(yield* after("9 minutes"))
      assert.strictEqual(askedCount, 2)
      isUp = false
      assert.isTrue(yield* after("2 minutes"))
      assert.strictEqual(askedCount, 3)
      assert.isTrue(yield* after("10 seconds"))
      assert.strictEqual(askedCount, 3)
      assert.isTrue(yield* after("23 hours"))
      assert.strictEqual(askedCount, 4)
      assert.isFalse(yield* after("50 minutes"))
      isUp = true
      assert.isTrue(yield* after("1 second"))
      isSlow = true
      const asked = yield* Effect.forkChild(after("11 minutes"))
      assert.isTrue(yield* Fiber.join(asked))
      answer()
    })
  )
})

describe("a guess at an API key", () => {
  it.live(
    "is one of 20 a minute, tells a wrong id and a wrong secret alike, and takes no quorum's time after them",
    () =>
      Effect.gen(function* () {
        const { key } = yield* makeKey("ada")
        const from = "203.0.113.9"
        const wrongSecret = `${key.slice(0, 21)}${"A".repeat(43)}`
        const wrongId = `lk1_${"z".repeat(16)}_${"A".repeat(43)}`
        const [secret, id] = [
          yield* send("GET", path, { key: wrongSecret, from }),
          yield* send("GET", path, { key: wrongId, from })
        ]
        assert.deepStrictEqual(secret.body, id.body)
        let count = 2
        while ((yield* send("GET", path, { key: wrongId, from })).status === 401) count += 1
        assert.strictEqual(count, 20)
        assert.strictEqual((yield* send("GET", path, { key, from })).status, 429)
        assert.strictEqual((yield* send("GET", path, { key, from: "203.0.113.10" })).status, 404)
      }).pipe(Effect.provide(layer()))
  )

  it.live("does not come from elsewhere because a header says so", () =>
    Effect.gen(function* () {
      const wrong = `lk1_${"z".repeat(16)}_${"A".repeat(43)}`
      // The proxy writes the last address; the client writes what it likes before it.
      const statuses: Array<number> = []
      for (let at = 0; at < 22; at++) {
        statuses.push((yield* send("GET", path, { key: wrong, from: `198.51.100.${at}, 203.0.113.9` })).status)
      }
      assert.deepStrictEqual(statuses.slice(-2), [429, 429])
    }).pipe(Effect.provide(layer()))
  )

  it.live("at the operators' secret is bounded too", () =>
    Effect.gen(function* () {
      const statuses: Array<number> = []
      for (let at = 0; at < 22; at++) {
        const sent = { key: `guess-${at}`, from: "203.0.113.9" }
        statuses.push((yield* send("DELETE", "/_admin/api/members/memory:0", sent)).status)
      }
      assert.deepStrictEqual([statuses[0], ...statuses.slice(-2)], [401, 429, 429])
    }).pipe(Effect.provide(layer()))
  )
})

describe("a weak secret", () => {
  it.effect("starts no node, since who poses as a peer gets a proof to guess at", () =>
    Effect.gen(function* () {
      for (const secret of ["", "short", "a".repeat(64), "abcdefg".repeat(10), " ".repeat(40)]) {
        const met = yield* Effect.result(Effect.provide(Place, layerPlace({ address: "127.0.0.1:8081", secret })))
        assert.isTrue(Result.isFailure(met) && met.failure._tag === "WeakSecret", JSON.stringify(secret))
      }
    })
  )
})
