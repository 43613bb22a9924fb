/** The memory of tokens that were good: for a minute, no longer than the token, and for no other token. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as jose from "jose"
import * as Access from "../../src/Access.ts"
import * as CheckedTokens from "../../src/Http/CheckedTokens.ts"

const ada = (expiresMs: number): CheckedTokens.Found => ({ id: "i|ada", roles: [], claims: {}, expiresMs })

describe("a token that was good", () => {
  it("is remembered for a minute, and not past its end", () => {
    const checked = CheckedTokens.make()
    checked.remember("a", ada(1_000_000), 5_000)
    assert.strictEqual(checked.find("a", 64_999, 999_999)?.id, "i|ada")
    assert.isUndefined(checked.find("a", 65_000, 999_999))
    assert.isUndefined(checked.find("a", 5_001, 1_000_000))
    assert.isUndefined(checked.find("b", 5_001, 0))
  })

  it("is one of a bounded number", () => {
    const checked = CheckedTokens.make()
    checked.remember("first", ada(1), 0)
    for (let count = 0; count < 10_000; count++) checked.remember(`t${count}`, ada(1), 0)
    assert.isUndefined(checked.find("first", 0, 0))
    assert.isDefined(checked.find("t9999", 0, 0))
  })

  it.live("is checked once, and one that differs in a letter is checked again and refused", () =>
    Effect.gen(function* () {
      const { privateKey, publicKey } = yield* Effect.promise(() => jose.generateKeyPair("ES256"))
      const key = { ...(yield* Effect.promise(() => jose.exportJWK(publicKey))), kid: "1", alg: "ES256" }
      let verifiedCount = 0
      const counting: Access.Jose<never> = {
        ...(jose as unknown as Access.Jose<never>),
        jwtVerify: (...asked) => {
          verifiedCount += 1
          return jose.jwtVerify(...(asked as Parameters<typeof jose.jwtVerify>)) as never
        }
      }
      const options = { jose: counting, issuer: "https://i.example", audience: "a", keys: { keys: [key] } }
      const taken = Access.jwt({ ...options, claims: ["team"] })
      const sign = (team: string) =>
        Effect.promise(() =>
          new jose.SignJWT({ sub: "ada", iss: "https://i.example", aud: "a", team })
            .setProtectedHeader({ alg: "ES256", kid: "1" })
            .setExpirationTime("1h")
            .sign(privateKey)
        )
      const token = yield* sign("t")
      const ask = (text: string) => taken.authenticate(Redacted.make(text))
      const found = [yield* ask(token), yield* ask(token), yield* ask(token)]
      assert.deepStrictEqual(found[2], found[0])
      assert.strictEqual(verifiedCount, 1)
      const other = `${token.slice(0, -3)}${token.at(-3) === "A" ? "B" : "A"}${token.slice(-2)}`
      for (const text of [other, other]) assert.strictEqual((yield* Effect.flip(ask(text)))._tag, "Unauthenticated")
      assert.strictEqual(verifiedCount, 3)
      // Claims that no principal may have are not kept.
      const large = yield* sign("t".repeat(5_000))
      yield* ask(large)
      yield* ask(large)
      assert.strictEqual(verifiedCount, 5)
    })
  )
})
