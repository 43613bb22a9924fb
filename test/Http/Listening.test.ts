/** The line that says where a node listens, and who may ask it. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Access from "../../src/Access.ts"
import { listeningLine } from "../../src/Http/Listening.ts"
import { version } from "../../src/Http/Version.ts"

const at = { nodeId: "n1", address: "http://127.0.0.1:8081" }

describe("the line of a node that listens", () => {
  it("says who may ask", () => {
    const said = (options: Partial<Parameters<typeof listeningLine>[0]>) =>
      listeningLine({ ...at, auth: undefined, isOpen: false, ...options }).split("): ")[1]
    assert.strictEqual(said({ isOpen: true }), "it is open, and answers programs of this host only")
    assert.strictEqual(said({}), "it is open: everybody who reaches it may read and change everything")
    assert.strictEqual(said({ auth: Access.external }), "the application itself guards it")
    assert.strictEqual(said({ auth: { authenticators: [Access.apiKeys] } }), "callers sign in by apiKey")
  })

  it("has the version of the package", () => {
    const { version: packaged } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
    assert.strictEqual(version, packaged)
    assert.include(listeningLine({ ...at, auth: undefined, isOpen: true }), `(Lithair ${packaged})`)
  })
})
