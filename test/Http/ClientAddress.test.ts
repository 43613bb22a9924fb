/** Whose address a request has: headers count only as far as listed proxies have written them. RFC 7239. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as ClientAddress from "../../src/Http/ClientAddress.ts"

const finding = (proxies: ReadonlyArray<string>, header?: ClientAddress.ForwardedHeader) =>
  ClientAddress.make(Result.getOrThrow(ClientAddress.parseNetworks(proxies)), header)

describe("the address of a client", () => {
  it("is that of the socket, whatever headers say, unless a proxy is listed", () => {
    const find = finding([])
    const claimed = { "x-forwarded-for": "6.6.6.6", forwarded: "for=6.6.6.6", "x-real-ip": "6.6.6.6" }
    assert.deepInclude(find("10.0.0.1", claimed), { text: "10.0.0.1", key: "10.0.0.1", isOfThisHost: false })
    assert.deepInclude(find("::ffff:10.0.0.1", claimed), { text: "10.0.0.1", key: "10.0.0.1" })
    assert.strictEqual(finding(["10.0.0.0/24"])("10.0.1.1", claimed)?.text, "10.0.1.1")
    assert.isUndefined(find(undefined, claimed))
    assert.isUndefined(find("no address", claimed))
  })

  it("is the last one in X-Forwarded-For that no listed proxy has", () => {
    const find = finding(["10.0.0.0/8", "192.168.1.7", "2001:db8::/32"])
    const from = (forwarded: string, socket = "10.0.0.1") => find(socket, { "x-forwarded-for": forwarded })?.text
    assert.strictEqual(from("198.51.100.7"), "198.51.100.7")
    // The client itself has sent the first one.
    assert.strictEqual(from("6.6.6.6, 198.51.100.7"), "198.51.100.7")
    assert.strictEqual(from("6.6.6.6, 198.51.100.7, 10.2.3.4,192.168.1.7"), "198.51.100.7")
    assert.strictEqual(from("6.6.6.6", "192.168.1.8"), "192.168.1.8")
    assert.strictEqual(from("198.51.100.7:4711"), "198.51.100.7")
    assert.strictEqual(from("[2001:470::1]:80", "2001:db8::1"), "2001:470::1")
    assert.strictEqual(from("::ffff:198.51.100.7", "::ffff:10.0.0.1"), "198.51.100.7")
    // Where all are proxies, the first of them began.
    assert.strictEqual(from("10.9.9.9, 10.2.3.4"), "10.9.9.9")
  })

  it("is that of the nearest proxy where the header breaks off", () => {
    const find = finding(["10.0.0.0/8"])
    const from = (forwarded: string) => find("10.0.0.1", { "x-forwarded-for": forwarded })?.text
    assert.strictEqual(from("6.6.6.6, unknown"), "10.0.0.1")
    assert.strictEqual(from("6.6.6.6, unknown, 10.0.0.2"), "10.0.0.2")
    assert.strictEqual(from(""), "10.0.0.1")
    assert.strictEqual(from("6.6.6.6, 198.51.100.7\u0000"), "10.0.0.1")
    // A chain of proxies that is longer than any is not walked.
    assert.strictEqual(from(`6.6.6.6${", 10.0.0.2".repeat(1_000)}`), "10.0.0.2")
  })

  it("is read from Forwarded alone where the proxies write that, and never from both", () => {
    const find = finding(["10.0.0.0/8"], "forwarded")
    const from = (forwarded: string) => find("10.0.0.1", { forwarded, "x-forwarded-for": "6.6.6.6" })?.text
    assert.strictEqual(from("for=198.51.100.7"), "198.51.100.7")
    assert.strictEqual(from('for=6.6.6.6, For="198.51.100.7:80";proto=https;by=10.0.0.1'), "198.51.100.7")
    assert.strictEqual(from('proto=http; for="[2001:470::1]"'), "2001:470::1")
    assert.strictEqual(from("for=6.6.6.6, for=_hidden"), "10.0.0.1")
    assert.strictEqual(from("host=for=6.6.6.6"), "10.0.0.1")
    const other = finding(["10.0.0.0/8"])
    assert.strictEqual(other("10.0.0.1", { forwarded: "for=6.6.6.6" })?.text, "10.0.0.1")
  })

  it("of IPv6 is limited by its network, since a host chooses the rest itself", () => {
    const find = finding([])
    const key = (address: string) => find(address, {})?.key
    assert.strictEqual(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"))
    assert.notStrictEqual(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"))
    assert.strictEqual(key("fe80::1%eth0"), key("fe80::2"))
    assert.notStrictEqual(key("10.0.0.1"), key("10.0.0.2"))
  })

  it("is of this host only where the program itself has connected", () => {
    for (const socket of ["127.0.0.1", "::1", "::ffff:127.0.0.1"]) {
      assert.isTrue(finding([])(socket, { "x-forwarded-for": "6.6.6.6" })?.isOfThisHost, socket)
    }
    const behind = finding(["127.0.0.1"])
    assert.isFalse(behind("127.0.0.1", {})?.isOfThisHost)
    assert.isFalse(behind("127.0.0.1", { "x-forwarded-for": "127.0.0.2" })?.isOfThisHost)
  })

  it("needs lists of addresses and networks", () => {
    for (const wrong of ["", "10.0.0", "10.0.0.1/8", "example.com", "10.0.0.0/33", "*"]) {
      assert.isTrue(Result.isFailure(ClientAddress.parseNetworks([wrong])), wrong)
    }
  })
})
