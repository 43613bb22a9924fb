/** How the example's flags name nodes: every place takes IPv6, and refuses what is nobody's address. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { type Own, parseOwn, parsePeers, parsePlace } from "../../src/Node/Peers.ts"

const own = (flags: { readonly host?: string; readonly address?: string; readonly id?: string }) =>
  parseOwn({ host: "127.0.0.1", port: 8081, address: undefined, id: undefined, secret: undefined, ...flags })
const at = (host: string): Own => Result.getOrThrow(own({ host }))
const message = (result: Result.Result<unknown, { readonly message: string }>) =>
  Result.isFailure(result) ? result.failure.message : "it is taken"

describe("the flags of the example", () => {
  it("--host sets the host of the listener and of the address; IPv6 with or without brackets", () => {
    for (const host of ["::1", "[::1]"]) {
      assert.deepStrictEqual(at(host), { id: "[::1]:8081", address: "[::1]:8081", listenHost: "::1", host: "::1" })
    }
    assert.strictEqual(at("localhost").address, "localhost:8081")
  })

  it("a node that listens on all interfaces says by --address where it is", () => {
    assert.deepStrictEqual(Result.getOrThrow(own({ host: "0.0.0.0", address: "node1:80" })), {
      id: "node1:80",
      address: "node1:80",
      listenHost: "0.0.0.0",
      host: "node1"
    })
    for (const host of ["0.0.0.0", "::"]) assert.match(message(own({ host })), /^--host: .*--address host:port/)
    assert.match(message(own({ host: "0.0.0.0", address: "0.0.0.0:80" })), /^--address: /)
  })

  it("--peers takes ports of this host, addresses, and addresses with names", () => {
    const peers = (text: string, host = "127.0.0.1") => Result.getOrThrow(parsePeers(text, at(host)))
    assert.deepStrictEqual(peers(""), [])
    assert.deepStrictEqual(peers("8082,[::1]:8083,c=node3:80"), [
      { id: "127.0.0.1:8082", address: "127.0.0.1:8082" },
      { id: "[::1]:8083", address: "[::1]:8083" },
      { id: "c", address: "node3:80" }
    ])
    assert.deepStrictEqual(peers("8082,b=8083", "::1"), [
      { id: "[::1]:8082", address: "[::1]:8082" },
      { id: "b", address: "[::1]:8083" }
    ])
  })

  it("--peers refuses the node itself, a repeated peer, and a malformed address", () => {
    const bad: ReadonlyArray<readonly [string, RegExp]> = [
      ["8081", /is this node itself/],
      ["[0:0::1]:8081", /is this node itself/],
      ["8082,8082", /there twice/],
      ["[::2]:1,[0:0::2]:1", /there twice/],
      ["8082,,8083", /empty/],
      ["8082,", /empty/],
      ["99999", /from 1 to 65535/],
      ["0", /from 1 to 65535/],
      ["0.0.0.0:8082", /all interfaces/],
      ["http://127.0.0.1:8082", /without "http/],
      ["127.0.0.1:8082 ", /port/],
      ["::1", /brackets/],
      ["=127.0.0.1:8082", /cannot be a node's id/],
      ["a b=127.0.0.1:8082", /cannot be a node's id/]
    ]
    for (const [text, says] of bad) {
      const host = text.startsWith("[0:0::1") ? "::1" : "127.0.0.1"
      assert.match(message(parsePeers(text, at(host))), says, text)
      assert.match(message(parsePeers(text, at(host))), /^--peers: /)
    }
  })

  it("--join takes a port or an address, --id a name", () => {
    assert.strictEqual(Result.getOrThrow(parsePlace("--join", "8082", "::1")).text, "[::1]:8082")
    assert.strictEqual(Result.getOrThrow(parsePlace("--join", "[::1]:8082", "a")).text, "[::1]:8082")
    for (const text of ["", "http://a:1", "a", "::1", "a:99999"]) {
      assert.match(message(parsePlace("--join", text, "a")), /^--join: /)
    }
    for (const id of ["n1", "[::1]:8081", "node-1.example:8081", "a".repeat(128)]) {
      assert.strictEqual(Result.getOrThrow(own({ id })).id, id)
    }
    // The last ones cannot stand in the header of an answer.
    for (const id of ["", "a b", "a,b", "a=b", "a/b", "a".repeat(129), "nœud", "节点", "a\u0001", "a\u007f"])
      assert.match(message(own({ id })), /^--id: /)
  })
})
