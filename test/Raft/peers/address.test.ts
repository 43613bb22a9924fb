/** What may be written as the address of a node, and as a cluster's secret. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Result } from "effect"
import * as Place from "../../../src/Lithair/Place.ts"
import { parseAddress, parseHost } from "../../../src/Raft/peers/Address.ts"
import { isSecret, secretsOf, wrongWithSecret } from "../../../src/Raft/peers/Secret.ts"

describe("an address of a node", () => {
  const good: ReadonlyArray<readonly [string, string, number]> = [
    ["127.0.0.1:8081", "127.0.0.1", 8081],
    ["localhost:1", "localhost", 1],
    ["node-1.shop.svc.cluster.local:65535", "node-1.shop.svc.cluster.local", 65_535],
    ["shop_node_1:8081", "shop_node_1", 8081],
    ["[::1]:8081", "::1", 8081],
    ["[fd00::2]:80", "fd00::2", 80]
  ]
  for (const [text, host, port] of good) {
    it(`${text} is one`, () => assert.deepStrictEqual(parseAddress(text), Result.succeed({ host, port, text })))
  }

  it("has one spelling where it is IPv6", () => {
    const long = parseAddress("[0:0:0:0:0:0:0:0001]:8081")
    assert.deepStrictEqual(long, Result.succeed({ host: "::1", port: 8081, text: "[::1]:8081" }))
  })

  const bad: ReadonlyArray<readonly [string, RegExp]> = [
    ["", /empty, write host:port/],
    [":8081", /empty/],
    ["0.0.0.0:8081", /all interfaces.*can dial/],
    ["[::]:8081", /all interfaces/],
    ["[::ffff:0.0.0.0]:8081", /all interfaces/],
    ["255.255.255.255:1", /many hosts/],
    ["224.0.0.1:1", /many hosts/],
    ["[ff02::1]:1", /many hosts/],
    ["http://127.0.0.1:8081", /without "http:\/\/"/],
    ["127.0.0.1:8081/", /without "http:\/\/" or a path/],
    ["127.0.0.1 :8081", /space/],
    [" 127.0.0.1:8081", /space/],
    ["127.0.0.1:8081\n", /port/],
    ["127.0.0.1", /no port, write host:port/],
    ["8081", /no port/],
    ["127.0.0.1:", /from 1 to 65535/],
    ["127.0.0.1:0", /from 1 to 65535/],
    ["127.0.0.1:99999", /from 1 to 65535/],
    ["127.0.0.1:08081", /from 1 to 65535/],
    ["127.0.0.1:80a", /from 1 to 65535/],
    ["::1", /brackets/],
    ["::1:8081", /brackets/],
    ["[::1]", /no port/],
    ["[fe80::1%eth0]:8081", /zone/],
    ["[127.0.0.1]:8081", /brackets/],
    ["[localhost]:8081", /brackets/],
    ["256.1.1.1:80", /neither/],
    ["1.2.3:80", /neither/],
    ["127.0x1:80", /neither/],
    ["a..b:80", /neither/],
    ["-a:80", /neither/],
    ["user@host:80", /neither/],
    ["a,b:80", /neither/],
    [`${"a".repeat(64)}:80`, /neither/]
  ]
  for (const [text, says] of bad) {
    it(`${JSON.stringify(text.slice(0, 40))} is none, with a hint`, () => {
      const found = parseAddress(text)
      assert.isTrue(Result.isFailure(found))
      assert.match(Result.getOrThrow(Result.flip(found)), says)
    })
  }

  it("a host alone may be IPv6 without brackets, and one that only listens", () => {
    for (const [text, host] of [
      ["::1", "::1"],
      ["[::1]", "::1"],
      ["0.0.0.0", "0.0.0.0"],
      ["::", "::"],
      ["localhost", "localhost"]
    ] as const) {
      assert.deepStrictEqual(parseHost(text), Result.succeed(host))
    }
    for (const text of ["", "http://a", "a b", "a:1", "fe80::1%eth0"]) assert.isTrue(Result.isFailure(parseHost(text)))
  })
})

describe("a cluster's secret", () => {
  it("has at least 32 characters, 8 of them distinct, and says nothing of itself where it is refused", () => {
    const weak = [
      "",
      "short",
      "0123456789abcdef0123456789abcde",
      "abababababababababababababababababababab",
      "abcdefg".repeat(9)
    ]
    for (const secret of weak) {
      const message = wrongWithSecret(secret)
      assert.match(message ?? "", /at least 32 characters, 8 of them distinct/)
      if (secret !== "") assert.notInclude(message, secret)
    }
    for (const secret of [
      "0123456701234567012345670123456z",
      "correct horse battery staple, and on",
      "ÄÖÜßéèêç".repeat(4)
    ]) {
      assert.isUndefined(wrongWithSecret(secret))
    }
  })

  it("can be carried by a header: no line break, no space around it", () => {
    for (const around of ["\n", " ", "\t", "\r\n"]) {
      assert.match(wrongWithSecret(`0123456789abcdef0123456789abcdef${around}`) ?? "", /no header can carry it/)
    }
  })

  it("is one of several while one replaces another, and none of them may be weak", () =>
    Effect.gen(function* () {
      const [first, second] = ["0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"]
      const placeWith = (secret: ReadonlyArray<string>) =>
        Effect.provide(Place.Place, Place.layer({ address: "127.0.0.1:8081", secret }))
      const { secret } = yield* placeWith([first!, second!])
      assert.deepStrictEqual(secretsOf(Redacted.value(secret!)), [first, second])
      assert.isUndefined((yield* placeWith([])).secret)
      for (const weak of ["", "short", `${second}\n${first}`]) {
        assert.strictEqual((yield* Effect.flip(placeWith([first!, weak])))._tag, "WeakSecret")
      }
    }).pipe(Effect.runPromise))

  it("is compared whole", () => {
    const secret = "0123456789abcdef0123456789abcdef"
    assert.isTrue(isSecret(secret, secret))
    for (const other of ["", secret.slice(1), `${secret} `, secret.toUpperCase()])
      assert.isFalse(isSecret(other, secret))
  })
})
