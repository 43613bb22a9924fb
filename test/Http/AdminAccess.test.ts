/** Who may change a cluster, by what a request says and where its socket comes from. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Result } from "effect"
import { Headers } from "effect/http"
import { admit, type Role } from "../../src/Http/AdminAccess.ts"
import { join } from "../../src/Raft/peers/Secret.ts"

const secret = "0123456789abcdef0123456789abcdef"

interface From {
  readonly address?: string | undefined
  readonly headers?: Record<string, string>
  readonly secret?: string | undefined
  readonly token?: string
  readonly isUnixSocket?: boolean
  readonly role?: Role
}

/** What admits the sender, or the status of the refusal. */
const ask = ({ address, headers = {}, isUnixSocket = false, role = "operator", secret, token }: From) => {
  const known = {
    secret,
    token:
      token === undefined
        ? undefined
        : { holds: (shown: ReadonlyArray<string>) => Effect.succeed(shown.includes(token)) },
    authentication: undefined,
    confirm: () => Effect.void,
    isUnixSocket
  }
  const sender = {
    method: "POST" as const,
    peerAddress: Option.fromUndefinedOr(address),
    headers: Headers.fromInput(headers),
    visit: undefined
  }
  const found = Effect.runSync(Effect.result(admit(known, sender, role)))
  if (Result.isFailure(found)) return found.failure.status
  return found.success.role === "operator" ? found.success.admitted : found.success.role
}

describe("a change of the cluster", () => {
  it("is taken with any secret of the node, while one replaces another", () => {
    const both = join([secret, "fedcba9876543210fedcba9876543210"])
    const shown = (token: string) =>
      ask({ address: "10.0.0.7", secret: both, headers: { authorization: `Bearer ${token}` } })
    assert.deepStrictEqual([secret, "fedcba9876543210fedcba9876543210"].map(shown), ["secret", "secret"])
    assert.deepStrictEqual(["", "third", "fedcba9876543210"].map(shown), [401, 401, 401])
  })

  const hosts = [undefined, "localhost", "localhost:8081", "127.0.0.1:8081", "[::1]:8081", "127.9.9.9"]
  for (const address of ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.0.0.9"]) {
    it(`is taken from a program of this host, over ${address}`, () => {
      for (const host of hosts) {
        for (const known of [undefined, secret]) {
          assert.strictEqual(ask({ address, secret: known, headers: host === undefined ? {} : { host } }), "this-host")
        }
      }
    })
  }

  const others: ReadonlyArray<readonly [string, From]> = [
    ["another host", { address: "10.0.0.7" }],
    ["another host over IPv6", { address: "fd00::7" }],
    ["a socket that tells no address", {}],
    [
      "a name that was made to point here (DNS rebinding)",
      { address: "127.0.0.1", headers: { host: "evil.example:8081" } }
    ],
    ["a page in a browser", { address: "127.0.0.1", headers: { origin: "http://localhost:8081" } }],
    ["a page without an origin", { address: "127.0.0.1", headers: { origin: "null" } }],
    ["a page that says so by Sec-Fetch-Site", { address: "::1", headers: { "sec-fetch-site": "cross-site" } }],
    ...["forwarded", "via", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip"].map(
      (name) => [`a proxy of this host: ${name}`, { address: "127.0.0.1", headers: { [name]: "127.0.0.1" } }] as const
    )
  ]
  for (const [what, from] of others) {
    it(`is not taken from ${what} without the secret: 401 where there is one, else 403`, () => {
      assert.strictEqual(ask({ ...from, secret }), 401)
      assert.strictEqual(ask(from), 403)
      const headers = { ...from.headers, authorization: `Bearer ${secret}` }
      assert.strictEqual(ask({ ...from, secret, headers }), "secret")
      // Where the cluster has none, nothing that is shown is one.
      assert.strictEqual(ask({ ...from, headers }), 401)
    })
  }

  it("is refused to a wrong credential, on this host too", () => {
    const wrong = ["Bearer", "Bearer ", `Bearer ${secret}0`, `Basic ${secret}`, secret, "Bearer undefined", ""]
    for (const authorization of wrong) {
      for (const address of ["127.0.0.1", "10.0.0.7"]) {
        for (const known of [secret, undefined]) {
          assert.strictEqual(ask({ address, secret: known, headers: { authorization } }), 401, authorization)
        }
      }
    }
    assert.strictEqual(ask({ address: "10.0.0.7", secret, headers: { authorization: `bearer   ${secret}` } }), "secret")
  })

  it("is taken with a secret that is not ASCII, however a runtime reads the bytes of a header", () => {
    const secret = "ÄÖÜßéèêç".repeat(4)
    for (const shown of [secret, Buffer.from(secret).toString("latin1")]) {
      assert.strictEqual(ask({ address: "10.0.0.7", secret, headers: { authorization: `Bearer ${shown}` } }), "secret")
    }
  })

  it("is taken with the admin token, and then from no program without a credential, of this host or over a unix socket", () => {
    const token = "fedcba9876543210fedcba9876543210"
    const headers = { authorization: `Bearer ${token}` }
    for (const address of ["127.0.0.1", "10.0.0.7"]) {
      assert.strictEqual(ask({ address, token, headers }), "token")
      assert.strictEqual(ask({ address, token, secret, headers: { authorization: `Bearer ${secret}` } }), "secret")
      for (const role of ["viewer", "operator"] as const) {
        assert.strictEqual(ask({ address, token, role }), 401)
        assert.strictEqual(ask({ address, token, role, headers: { authorization: `Bearer ${secret}` } }), 401)
      }
    }
    assert.strictEqual(ask({ token, isUnixSocket: true }), 401)
  })

  it("is taken over a unix socket, unless a proxy or a page sent it", () => {
    assert.strictEqual(ask({ isUnixSocket: true, secret }), "this-host")
    assert.strictEqual(ask({ isUnixSocket: true, secret, headers: { "x-forwarded-for": "10.0.0.7" } }), 401)
    assert.strictEqual(ask({ isUnixSocket: true, headers: { origin: "http://localhost" } }), 403)
  })

  it("is not taken from those who may look, who are all whom an application without rules answers", () => {
    assert.strictEqual(ask({ address: "10.0.0.7", role: "viewer" }), "viewer")
    assert.strictEqual(ask({ address: "10.0.0.7", role: "viewer", headers: { authorization: "Bearer x" } }), 401)
    assert.strictEqual(ask({ address: "10.0.0.7" }), 403)
  })
})
