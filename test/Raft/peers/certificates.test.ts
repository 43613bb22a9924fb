/** What a node says of files that do not fit, before any peer finds out; and which nodes a certificate names. */
import { X509Certificate } from "node:crypto"
import { writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { nodesNamedBy } from "../../../src/Raft/peers/CertificateNames.ts"
import { load } from "../../../src/Raft/peers/Certificates.ts"
import { makeAuthority } from "./Authority.ts"
import { directory, writeFiles } from "./TlsNode.ts"

const authority = makeAuthority()
const foreign = makeAuthority("another authority")
const dayMs = 86_400_000

describe("the names in a certificate", () => {
  const named = (cert: string) => nodesNamedBy(new X509Certificate(cert).raw)

  it("are those of its URIs that name a node, whatever else stands there", () => {
    assert.deepStrictEqual(named(authority.issueFor("10.0.0.1:7081").cert), ["10.0.0.1:7081"])
    assert.deepStrictEqual(named(authority.issueFor("[::1]:7081").cert), ["[::1]:7081"])
    const uris = ["https://example.org", "lithair:node:a", "lithair:nodes:x", "lithair:node:b"]
    assert.deepStrictEqual(named(authority.issue({ uris, dnsNames: ["a.example"] }).cert), ["a", "b"])
    assert.deepStrictEqual(named(authority.issue({}).cert), [])
    assert.deepStrictEqual(named(authority.cert), [])
  })

  it("are not what the name of a host imitates", () => {
    const dnsNames = ["x, URI:lithair:node:b", "lithair:node:b"]
    assert.deepStrictEqual(named(authority.issue({ uris: ["https://x/, URI:lithair:node:c"], dnsNames }).cert), [])
  })

  it("are none in bytes that are cut or changed at any place, and reading them never fails", () => {
    const { raw } = new X509Certificate(authority.issueFor("a").cert)
    for (let at = 0; at < raw.length; at++) {
      assert.deepStrictEqual(nodesNamedBy(raw.subarray(0, at)), [])
      for (const byte of [0x00, 0x80, 0xff]) {
        const changed = Uint8Array.from(raw)
        changed[at] = byte
        assert.isAtMost(nodesNamedBy(changed).length, 1)
      }
    }
  })
})

describe("the files of a node's certificate", () => {
  const refused = Effect.fnUntraced(function* (
    change: (files: ReturnType<typeof writeFiles>) => ReturnType<typeof writeFiles>,
    issued = authority.issueFor("a")
  ) {
    const files = change(writeFiles(yield* directory, "a", issued, [authority]))
    return (yield* Effect.flip(load(files, "a", 1))).message
  })
  const same = <A>(files: A): A => files

  it.live("are taken if they fit, with those between certificate and authority", () =>
    Effect.gen(function* () {
      const files = writeFiles(yield* directory, "a", authority.issueFor("a"), [foreign, authority])
      const { generation, validToMs } = yield* load(files, "a", 3)
      assert.strictEqual(generation, 3)
      assert.approximately(validToMs, Date.now() + dayMs, 60_000)
    }).pipe(Effect.scoped)
  )

  it.live("are refused with the file and the reason", () =>
    Effect.gen(function* () {
      const other = authority.issueFor("a")
      assert.match(
        yield* refused(same, authority.issueFor("b")),
        /^The certificate ".*a\.pem" is for lithair:node:b, and this node is a: it needs the URI lithair:node:a /
      )
      assert.match(yield* refused(same, authority.issue({})), /names no node, and this node is a/)
      assert.match(
        yield* refused(same, { cert: other.cert, key: authority.issueFor("a").key }),
        /^The key ".*a\.key" is not the one of the certificate ".*a\.pem"$/
      )
      assert.match(
        yield* refused(same, foreign.issueFor("a")),
        /^No authority in ".*a\.ca\.pem" has signed the certificate ".*a\.pem"$/
      )
      const past = { uris: ["lithair:node:a"], validFromMs: Date.now() - 2 * dayMs, validToMs: Date.now() - dayMs }
      assert.match(yield* refused(same, authority.issue(past)), /was valid until .*: replace it$/)
      const future = { uris: ["lithair:node:a"], validFromMs: Date.now() + dayMs, validToMs: Date.now() + 2 * dayMs }
      assert.match(yield* refused(same, authority.issue(future)), /is valid only from .* on$/)
      assert.match(yield* refused((files) => ({ ...files, caFile: "/nowhere" })), /nowhere/)
      assert.match(yield* refused((files) => ({ ...files, certFile: files.keyFile })), /There is no certificate in/)
      assert.match(yield* refused((files) => ({ ...files, keyFile: files.certFile })), /There is no private key in/)
      const garbled = yield* refused((files) => {
        writeFileSync(files.caFile, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        return files
      })
      assert.match(garbled, /^Cannot read a certificate in ".*a\.ca\.pem"/)
    }).pipe(Effect.scoped)
  )
})
